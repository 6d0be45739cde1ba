import { describe, expect, it } from 'vitest';
import { fence } from '../../../src/controller/decide/broker-state.ts';
import { isRefusal } from '../../../src/controller/decide/decision.ts';
import type { HeartbeatFacts } from '../../../src/controller/decide/heartbeat.ts';
import { checkBrokerEpoch, decideHeartbeat, nextState } from '../../../src/controller/decide/heartbeat.ts';
import { decideAllocateProducerIds, PRODUCER_ID_BLOCK_SIZE } from '../../../src/controller/decide/producer-ids.ts';
import { decideRegisterBroker } from '../../../src/controller/decide/register-broker.ts';
import type { BrokerHeartbeatRequest, RegisterBrokerRequest } from '../../../src/gen/kvorum/v1/controller.ts';
import type { MetadataImage } from '../../../src/metadata/image.ts';
import { EMPTY_IMAGE, partitionOf } from '../../../src/metadata/image.ts';
import {
  after,
  clusterOf,
  LEVEL_1,
  partitionRecord,
  record,
  registration,
  topicRecord,
  uuid,
} from '../metadata/fixture.ts';

const CLUSTER = uuid(77);
const T = uuid(1);

function request(brokerId: number, fields: Partial<RegisterBrokerRequest> = {}): RegisterBrokerRequest {
  return {
    clusterId: CLUSTER,
    brokerId,
    incarnationId: uuid(200 + brokerId),
    logDirs: [uuid(1000 + brokerId)],
    endpoints: [{ listener: 'PLAINTEXT', host: 'h', port: 1 }],
    rack: 'r',
    bootCounter: 2,
    previousBrokerEpoch: -1,
    minMetadataLevel: 1,
    afterCrash: false,
    maxMetadataLevel: 3,
    ...fields,
  };
}

function register(image: MetadataImage, wanted: RegisterBrokerRequest, sessionValid = false) {
  const decided = decideRegisterBroker(image, wanted, { clusterId: CLUSTER, sessionValid });
  if ('predecessor' in decided) throw new Error('too much for one batch');
  if (isRefusal(decided)) return { ...decided, records: [], image, brokerEpoch: -1 };
  const next = after(image, ...decided.records);
  return { refused: undefined, message: '', records: decided.records, image: next, ...decided.respond(next) };
}

const epochOf = (image: MetadataImage, id: number) => image.brokers.get(id)?.brokerEpoch ?? -1;
const empty = after(EMPTY_IMAGE, LEVEL_1);

describe('registerBroker', () => {
  it('C-2.1, C-2.3: a new broker starts fenced with the offset of its record as epoch', () => {
    const { image, brokerEpoch } = register(empty, request(1));
    expect(brokerEpoch).toBe(empty.endOffset);
    expect(image.brokers.get(1)).toMatchObject({ brokerEpoch, fenced: true, rack: 'r', bootCounter: 2 });
  });

  it('B35, C-2.3: a retry of the same incarnation gets the same epoch and changes nothing', () => {
    const first = register(empty, request(1));
    const again = register(first.image, request(1), true);
    expect(again).toMatchObject({ refused: undefined, records: [], brokerEpoch: first.brokerEpoch });
  });

  const image = clusterOf(1, 2); // boot counter 1, unfenced
  const otherDirs = { logDirs: [uuid(5)] };
  const cases: [string, Partial<RegisterBrokerRequest>, boolean, string | undefined][] = [
    ['C-2.2b: a later start on the same directories takes over at once', {}, true, undefined],
    ['C-2.2a: an earlier start never does (B86)', { bootCounter: 1 }, false, 'ABORTED'],
    ['C-2.2: other directories wait for the session', otherDirs, true, 'ALREADY_EXISTS'],
    ['C-2.2: other directories take over when it has lapsed', otherDirs, false, undefined],
    ['another cluster', { clusterId: uuid(78) }, false, 'INVALID_ARGUMENT'],
    ['a directory of another broker', { logDirs: [uuid(1001), uuid(1002)] }, false, 'INVALID_ARGUMENT'],
    ['no incarnation', { incarnationId: '' }, false, 'INVALID_ARGUMENT'],
    ['no directories', { logDirs: [] }, false, 'INVALID_ARGUMENT'],
    ['a directory twice', { logDirs: [uuid(5), uuid(5)] }, false, 'INVALID_ARGUMENT'],
    ['no endpoints', { endpoints: [] }, false, 'INVALID_ARGUMENT'],
    ['no boot counter', { bootCounter: 0 }, false, 'INVALID_ARGUMENT'],
    ['a negative id', { brokerId: -1 }, false, 'INVALID_ARGUMENT'],
  ];
  it.each(cases)('%s', (_, fields, sessionValid, refused) => {
    const result = register(image, request(1, fields), sessionValid);
    expect(result.refused).toBe(refused);
    if (refused === undefined) expect(result.brokerEpoch).toBeGreaterThan(epochOf(image, 1));
    else expect(result.message).toMatch(/^broker -?1 /);
  });

  it.each([
    ['clean', true],
    ['unclean', false],
  ])(
    'C-2.4: after a %s stop the predecessor loses what it led, in the same batch, before the registration',
    (_, clean) => {
      const partitions = [partitionRecord(T, 0, [1, 2]), partitionRecord(T, 1, [1]), partitionRecord(T, 2, [2])];
      const before = after(image, topicRecord('a', T), ...partitions);
      const previousBrokerEpoch = clean ? epochOf(before, 1) : -1;
      const { image: next, records, brokerEpoch } = register(before, request(1, { previousBrokerEpoch }), true);
      expect(records.map(({ kind }) => kind?.$case)).toEqual(['partitionChange', 'partitionChange', 'registerBroker']);
      expect(records.at(-1)?.kind).toMatchObject({ registerBroker: { cleanStart: clean } });
      expect(brokerEpoch).toBe(next.endOffset - 1);
      expect(partitionOf(next, T, 0)).toMatchObject({ leader: 2, isr: [2], leaderEpoch: 1 });
      expect(partitionOf(next, T, 1)).toMatchObject({ leader: -1, isr: [1], leaderEpoch: 1 }); // C-5.4
      expect(partitionOf(next, T, 2)).toEqual(partitionOf(before, T, 2));
    },
  );
});

describe('C-2.4: people are told how a broker stopped', () => {
  const before = after(
    clusterOf(1, 2),
    record({ $case: 'metadataLevel', metadataLevel: { level: 3 } }),
    topicRecord('a', T),
    partitionRecord(T, 0, [1, 2]),
  );
  const brokerEpoch = epochOf(before, 1);
  it.each([
    [brokerEpoch, false, 'after a clean stop', 'registered'],
    [
      brokerEpoch,
      true,
      'after a crash that cost nothing acknowledged',
      'registered after a crash that cost nothing acknowledged',
    ],
    [-1, false, 'after a crash that may have cost records', 'registered after a crash that may have cost records'],
    // Of a life before the last one.
    [0, true, 'after a crash that may have cost records', 'registered after a crash that may have cost records'],
  ])('epoch %i, after a crash: %s', (previousBrokerEpoch, afterCrash, cause, state) => {
    const { records, image: next } = register(before, request(1, { previousBrokerEpoch, afterCrash }), true);
    expect(records[0]?.kind).toMatchObject({ partitionChange: { cause: `broker 1 restarted ${cause}` } });
    expect(next.brokers.get(1)?.state.cause).toBe(state);
  });
});

const beat = (brokerId: number, brokerEpoch: number, fields: Partial<BrokerHeartbeatRequest> = {}) => ({
  brokerId,
  brokerEpoch,
  metadataEndOffset: brokerEpoch + 1,
  wantFence: false,
  wantShutdown: false,
  offlineLogDirs: [],
  ...fields,
});

describe('heartbeats', () => {
  const facts = (names: string): HeartbeatFacts => ({
    wantFence: names.includes('fence'),
    wantShutdown: names.includes('shutdown'),
    caughtUp: names.includes('caughtUp'),
    leads: names.includes('leads'),
    othersCaughtUp: names.includes('others'),
  });
  const table: [Parameters<typeof nextState>[0], string, string][] = [
    ['FENCED', '', 'FENCED'],
    ['FENCED', 'caughtUp', 'UNFENCED'],
    ['FENCED', 'caughtUp fence', 'FENCED'],
    ['FENCED', 'shutdown', 'SHUTDOWN_NOW'],
    ['FENCED', 'shutdown fence caughtUp leads', 'SHUTDOWN_NOW'],
    ['UNFENCED', '', 'UNFENCED'],
    ['UNFENCED', 'leads', 'UNFENCED'],
    ['UNFENCED', 'fence', 'FENCED'],
    ['UNFENCED', 'fence shutdown leads', 'SHUTDOWN_NOW'],
    ['UNFENCED', 'shutdown leads others', 'CONTROLLED_SHUTDOWN'],
    ['UNFENCED', 'shutdown', 'SHUTDOWN_NOW'],
    ['CONTROLLED_SHUTDOWN', 'shutdown leads others', 'CONTROLLED_SHUTDOWN'],
    ['CONTROLLED_SHUTDOWN', 'shutdown', 'CONTROLLED_SHUTDOWN'],
    ['CONTROLLED_SHUTDOWN', 'others', 'SHUTDOWN_NOW'],
    ['CONTROLLED_SHUTDOWN', 'shutdown others', 'SHUTDOWN_NOW'],
  ];
  it.each(table)('C-3.1: %s with [%s] becomes %s', (current, names, next) => {
    expect(nextState(current, facts(names))).toBe(next);
  });

  const idle = { shutdownEndOffset: 0, lowestActiveEndOffset: Number.POSITIVE_INFINITY };
  function send(image: MetadataImage, message: BrokerHeartbeatRequest, context = idle) {
    const { next, records, respond } = decideHeartbeat(image, message, context);
    const result = after(image, ...records);
    return { next, records, image: result, response: respond(result) };
  }

  it('C-3.2, B44: unfences when the image shows the registration, however long the log is by then', () => {
    const image = after(after(empty, registration(1)), registration(2), registration(3));
    const epoch = epochOf(image, 1);
    expect(send(image, beat(1, epoch, { metadataEndOffset: epoch })).response.fenced).toBe(true);
    const { image: next, response } = send(image, beat(1, epoch, { metadataEndOffset: epoch + 1 }));
    expect(response).toEqual({ fenced: false, shouldShutdown: false });
    expect(next.brokers.get(1)?.fenced).toBe(false);
  });

  const led = after(
    clusterOf(1, 2),
    topicRecord('a', T),
    partitionRecord(T, 0, [1]),
    partitionRecord(T, 1, [1, 2]),
    partitionRecord(T, 2, [2, 1]),
  );
  const epoch = epochOf(led, 1);

  it('C-3.3: a shutdown moves leaders at once and lets go when the others have seen that', () => {
    const asked = send(led, beat(1, epoch, { wantShutdown: true, offlineLogDirs: [] }));
    expect(asked.next).toBe('CONTROLLED_SHUTDOWN');
    expect(asked.response).toEqual({ fenced: false, shouldShutdown: false });
    expect(partitionOf(asked.image, T, 0)).toMatchObject({ leader: -1, isr: [1] });
    expect(partitionOf(asked.image, T, 1)).toMatchObject({ leader: 2, isr: [2], leaderEpoch: 1 });
    expect(partitionOf(asked.image, T, 2)).toMatchObject({ leader: 2, isr: [2], leaderEpoch: 0, partitionEpoch: 1 });
    const shutdownEndOffset = asked.image.endOffset;
    const early = { shutdownEndOffset, lowestActiveEndOffset: shutdownEndOffset - 1 };
    expect(
      send(asked.image, beat(1, epoch, { wantShutdown: true, offlineLogDirs: [] }), early).response.shouldShutdown,
    ).toBe(false);
    const late = { shutdownEndOffset, lowestActiveEndOffset: shutdownEndOffset };
    const done = send(asked.image, beat(1, epoch, { wantShutdown: true, offlineLogDirs: [] }), late);
    expect(done.response).toEqual({ fenced: true, shouldShutdown: true });
    // It is not unfenced again: a shutdown is not taken back.
    expect(send(done.image, beat(1, epoch)).response).toEqual({ fenced: true, shouldShutdown: false });
    expect(send(done.image, beat(1, epoch, { wantShutdown: true, offlineLogDirs: [] }))).toMatchObject({ records: [] });
  });

  it('C-3.4, C-3.6, C-5.4: fencing takes the leaders away, unfencing gives them back in new epochs', () => {
    const broker = led.brokers.get(1);
    if (broker === undefined) throw new Error('no broker');
    const fenced = after(led, ...fence(led, broker, 'session expired').records);
    expect(fenced.brokers.get(1)?.fenced).toBe(true);
    expect(partitionOf(fenced, T, 0)).toMatchObject({ leader: -1, isr: [1], leaderEpoch: 1 });
    expect(partitionOf(fenced, T, 1)).toMatchObject({ leader: 2, isr: [2], leaderEpoch: 1 });
    const { image: back } = send(fenced, beat(1, epoch));
    expect(partitionOf(back, T, 0)).toMatchObject({ leader: 1, isr: [1], leaderEpoch: 2, partitionEpoch: 2 });
    expect(partitionOf(back, T, 1)).toEqual(partitionOf(fenced, T, 1)); // it joins the ISR by the leader's word only
  });

  it('C-5.1: a broker without the disk that holds the replica does not lead it', () => {
    const fields = { directories: [uuid(1001)], leader: -1 };
    const image = after(
      empty,
      topicRecord('a', T),
      partitionRecord(T, 0, [1], fields),
      registration(1, { logDirs: [uuid(9)] }),
    );
    const { image: next } = send(image, beat(1, epochOf(image, 1)));
    expect(next.brokers.get(1)?.fenced).toBe(false);
    expect(partitionOf(next, T, 0)?.leader).toBe(-1);
    const right = after(empty, topicRecord('a', T), partitionRecord(T, 0, [1], fields), registration(1));
    expect(partitionOf(send(right, beat(1, epochOf(right, 1))).image, T, 0)?.leader).toBe(1);
  });

  it('C-2.5: another broker epoch is stale', () => {
    expect(checkBrokerEpoch(led, beat(1, epoch))).toBe(led.brokers.get(1));
    expect(checkBrokerEpoch(led, beat(1, epoch + 1))).toMatchObject({ refused: 'ABORTED' });
    expect(checkBrokerEpoch(led, beat(9, 0))).toMatchObject({ refused: 'ABORTED' });
  });
});

it('C-9.3: blocks of producer ids never overlap', () => {
  const firstIds: number[] = [];
  let image = clusterOf(1);
  for (let i = 0; i < 3; i++) {
    const { records, respond } = decideAllocateProducerIds(image, { brokerId: 1, brokerEpoch: 1 });
    image = after(image, ...records);
    firstIds.push(respond(image).firstProducerId);
  }
  expect(firstIds).toEqual([0, PRODUCER_ID_BLOCK_SIZE, 2 * PRODUCER_ID_BLOCK_SIZE]);
});
