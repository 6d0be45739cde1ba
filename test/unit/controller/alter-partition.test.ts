import { describe, expect, it } from 'vitest';
import { decideAlterPartition, MAX_ALTERATIONS_PER_REQUEST } from '../../../src/controller/decide/alter-partition.ts';
import { isRefusal } from '../../../src/controller/decide/decision.ts';
import { electionPolicyOf } from '../../../src/controller/decide/policy.ts';
import type { PartitionAlteration } from '../../../src/gen/kvorum/v1/controller.ts';
import type { MetadataImage } from '../../../src/metadata/image.ts';
import { after, uuid } from '../metadata/fixture.ts';
import {
  brokerEpochOf,
  brokerIs,
  clusterWith,
  fenced,
  kindsOf,
  level1With,
  MIN_ISR_2,
  stateOf,
  summary,
  T,
} from './partitions.ts';

/** What the leader asks of partition 0 whose state it knows, with the ISR given by ids. */
function alteration(image: MetadataImage, isr: number[], fields: Partial<PartitionAlteration> = {}) {
  const { leaderEpoch, partitionEpoch, recovering } = stateOf(image);
  const members = isr.map((brokerId) => ({ brokerId, brokerEpoch: brokerEpochOf(image, brokerId) }));
  return { topicId: T, partition: 0, leaderEpoch, partitionEpoch, isr: members, recovering, ...fields };
}

function alter(image: MetadataImage, items: PartitionAlteration[], brokerId = 1) {
  const request = { brokerId, brokerEpoch: brokerEpochOf(image, brokerId), partitions: items };
  const decided = decideAlterPartition(image, request, electionPolicyOf(image));
  if (isRefusal(decided)) throw new Error(decided.message);
  const next = after(image, ...decided.records);
  return { ...decided, image: next, partitions: decided.respond(next).partitions };
}

function errorOf(image: MetadataImage, item: PartitionAlteration, brokerId = 1): string | undefined {
  const { partitions, records } = alter(image, [item], brokerId);
  if (partitions[0]?.error !== undefined) expect(records).toEqual([]);
  return partitions[0]?.error?.name;
}

const epochs = { leaderEpoch: 5, partitionEpoch: 7 };
const image = clusterWith({ ...epochs, isr: [1, 2] });

describe('C-6: the ISR is changed by the leader', () => {
  it('takes in who is in sync, with the partition epoch alone rising', () => {
    const { partitions, records } = alter(image, [alteration(image, [1, 2, 3])]);
    const answer = { topicId: T, partition: 0, error: undefined, leader: 1, leaderEpoch: 5, recovering: false };
    expect(partitions).toEqual([{ ...answer, isr: [1, 2, 3], partitionEpoch: 8 }]);
    expect(records[0]?.kind).toMatchObject({ partitionChange: { cause: 'leader 1 found [3] in sync' } });
  });

  it('C-5.5: keeps who lags eligible, below min.insync.replicas', () => {
    const next = alter(after(image, MIN_ISR_2), [alteration(image, [1])]).image;
    expect(summary(next)).toBe('1 of 1, ELR 2');
    expect(summary(alter(next, [alteration(next, [3, 1])]).image)).toBe('1 of 1,3');
  });

  it('C-6.2: answers what is so already without a record, in whatever order', () => {
    const { partitions, records } = alter(image, [alteration(image, [2, 1])]);
    expect(records).toEqual([]);
    expect(partitions[0]).toMatchObject({ error: undefined, partitionEpoch: 7, isr: [1, 2] });
  });

  it('C-6.3: a retry of what was carried out is told the newer partition epoch', () => {
    const item = alteration(image, [1]);
    const { image: next } = alter(image, [item]);
    const { partitions } = alter(next, [item]);
    expect(partitions[0]).toMatchObject({ error: { name: 'INVALID_UPDATE_VERSION' }, partitionEpoch: 8, isr: [1] });
  });

  it('works at metadata level 1', () => {
    const old = level1With({ isr: [1, 2] });
    expect(summary(alter(old, [alteration(old, [1])]).image)).toBe('1 of 1');
  });

  it('decides on each item alone', () => {
    const two = clusterWith({}, {});
    const { partitions, image: next } = alter(two, [
      alteration(two, [1], { topicId: uuid(9) }),
      alteration(two, [1], { partition: 1 }),
    ]);
    expect(partitions.map(({ error }) => error?.name)).toEqual(['UNKNOWN_TOPIC_ID', undefined]);
    expect([0, 1].map((p) => summary(next, p))).toEqual(['1 of 1,2,3', '1 of 1, ELR 2,3']);
    expect(partitions[0]).toMatchObject({ leader: -1, isr: [], partitionEpoch: -1 });
  });

  it('refuses both of two items for one partition', () => {
    const { partitions, records } = alter(image, [alteration(image, [1]), alteration(image, [1, 2, 3])]);
    expect(partitions.map(({ error }) => error?.name)).toEqual(['INVALID_REQUEST', 'INVALID_REQUEST']);
    expect(records).toEqual([]);
  });

  it('C-0.6: does not try what is beyond its limit', () => {
    const items = Array.from({ length: MAX_ALTERATIONS_PER_REQUEST + 1 }, (_, partition) =>
      alteration(image, [1], { partition }),
    );
    const { partitions } = alter(image, items);
    expect(partitions[0]?.error).toBeUndefined();
    expect(partitions.at(-2)?.error?.name).toBe('UNKNOWN_TOPIC_OR_PARTITION');
    expect(partitions.at(-1)?.error?.name).toBe('OPERATION_NOT_ATTEMPTED');
  });
});

describe('C-6: the order of checks, each item wrong from its check on', () => {
  it('C-2.5: first the broker epoch, of the whole call', () => {
    const request = { brokerId: 1, brokerEpoch: 0, partitions: [alteration(image, [1])] };
    const decided = decideAlterPartition(image, request, electionPolicyOf(image));
    expect(decided).toMatchObject({ refused: 'ABORTED', message: expect.stringMatching(/^STALE_BROKER_EPOCH/) });
  });

  // Everything that comes later is wrong as well, so that the order shows.
  const ineligible = [{ brokerId: 1, brokerEpoch: 0 }];
  const badIsr = [...ineligible, ...ineligible];
  const cases: [string, Partial<PartitionAlteration>, number, string][] = [
    ['2: topic', { topicId: uuid(9), partition: 9, leaderEpoch: 6, isr: badIsr }, 2, 'UNKNOWN_TOPIC_ID'],
    ['2: partition', { partition: 9, leaderEpoch: 6, isr: badIsr }, 2, 'UNKNOWN_TOPIC_OR_PARTITION'],
    ['2: negative partition', { partition: -1, leaderEpoch: 6, isr: badIsr }, 2, 'UNKNOWN_TOPIC_OR_PARTITION'],
    ['3, B30: a newer leader epoch', { leaderEpoch: 6, partitionEpoch: 3, isr: badIsr }, 2, 'NOT_CONTROLLER'],
    ['3, B30: a newer partition epoch', { leaderEpoch: 4, partitionEpoch: 8, isr: badIsr }, 2, 'NOT_CONTROLLER'],
    ['4: an older leader epoch', { leaderEpoch: 4, partitionEpoch: 3, isr: badIsr }, 2, 'FENCED_LEADER_EPOCH'],
    ['5: not from the leader', { partitionEpoch: 3, isr: badIsr }, 2, 'INVALID_REQUEST'],
    ['6: an older partition epoch', { partitionEpoch: 3, isr: badIsr }, 1, 'INVALID_UPDATE_VERSION'],
    ['7: a member twice', { isr: badIsr }, 1, 'INVALID_REQUEST'],
    ['9: another incarnation', { isr: ineligible }, 1, 'INELIGIBLE_REPLICA'],
  ];
  it.each(cases)('%s', (_, fields, sender, error) => {
    expect(errorOf(image, alteration(image, [1, 2, 3], fields), sender)).toBe(error);
  });

  it('7: an ISR is of replicas, with the leader', () => {
    expect(errorOf(image, alteration(image, [1, 2, 4]))).toBe('INVALID_REQUEST');
    expect(errorOf(image, alteration(image, [2, 3]))).toBe('INVALID_REQUEST');
    expect(errorOf(image, alteration(image, []))).toBe('INVALID_REQUEST');
  });

  it('8, C-5.8: while it recovers a leader is alone, and it recovers once', () => {
    const recovers = clusterWith({ isr: [1], recovering: true });
    expect(errorOf(recovers, alteration(recovers, [1, 2], { recovering: true }))).toBe('INVALID_REQUEST');
    expect(errorOf(image, alteration(image, [1], { recovering: true }))).toBe('INVALID_REQUEST');
    expect(alter(recovers, [alteration(recovers, [1], { recovering: true })]).records).toEqual([]);
    const done = alter(recovers, [alteration(recovers, [1], { recovering: false })]);
    expect(done.partitions[0]).toMatchObject({
      error: undefined,
      recovering: false,
      leaderEpoch: 0,
      partitionEpoch: 1,
    });
    expect(summary(alter(recovers, [alteration(recovers, [1, 2], { recovering: false })]).image)).toBe('1 of 1,2');
  });

  it('9: every member is registered with that epoch, unfenced, not shutting down, its log dir online', () => {
    const joins = alteration(image, [1, 2, 3]);
    expect(errorOf(fenced(image, 3), joins)).toBe('INELIGIBLE_REPLICA');
    expect(errorOf(after(image, brokerIs(image, 3, { inControlledShutdown: true })), joins)).toBe('INELIGIBLE_REPLICA');
    const placed = clusterWith({ isr: [1, 2], directories: [uuid(1001), uuid(1002), uuid(1003)] });
    expect(errorOf(placed, alteration(placed, [1, 2, 3]))).toBeUndefined();
    const failed = after(placed, brokerIs(placed, 3, { logDirs: { directories: [uuid(5)] } }));
    expect(errorOf(failed, alteration(failed, [1, 2, 3]))).toBe('INELIGIBLE_REPLICA');
    const strangers = clusterWith({ replicas: [1, 9], isr: [1] });
    expect(errorOf(strangers, alteration(strangers, [1, 9]))).toBe('INELIGIBLE_REPLICA');
    const unchecked = {
      isr: [
        { brokerId: 1, brokerEpoch: brokerEpochOf(image, 1) },
        { brokerId: 3, brokerEpoch: -1 },
      ],
    };
    expect(errorOf(image, alteration(image, [], unchecked))).toBe('INELIGIBLE_REPLICA');
  });
});

describe('C-8.2: a change that completes a reassignment', () => {
  const moving = { replicas: [2, 3, 1], adding: [3], removing: [1], isr: [1, 2], leader: 1 };

  it('C-6.1: tells the sender that it does not lead any more, and is carried out', () => {
    const start = clusterWith(moving);
    const { partitions, image: next, records } = alter(start, [alteration(start, [1, 2, 3])]);
    expect(kindsOf(records)).toEqual(['partitionChange']);
    expect(partitions[0]).toMatchObject({
      error: { name: 'NEW_LEADER_ELECTED' },
      leader: 2,
      isr: [2, 3],
      leaderEpoch: 1,
    });
    expect(stateOf(next)).toMatchObject({ replicas: [2, 3], adding: [], removing: [], partitionEpoch: 1 });
  });

  it('is a success where the sender leads on, with a new leader epoch', () => {
    const start = clusterWith({ ...moving, leader: 2 });
    const { partitions } = alter(start, [alteration(start, [1, 2, 3])], 2);
    expect(partitions[0]).toMatchObject({
      error: undefined,
      leader: 2,
      isr: [2, 3],
      leaderEpoch: 1,
      partitionEpoch: 1,
    });
  });
});
