import { describe, expect, it } from 'vitest';
import { LOST_DIRECTORY, ZERO_UUID } from '../../../src/base/uuid.ts';
import { electLeaderless } from '../../../src/controller/decide/affected-partitions.ts';
import { isRefusal } from '../../../src/controller/decide/decision.ts';
import { electionPolicyOf } from '../../../src/controller/decide/policy.ts';
import { decideAssignReplicasToDirs } from '../../../src/controller/decide/replica-directories.ts';
import type { MetadataImage } from '../../../src/metadata/image.ts';
import { after, registration, uuid } from '../metadata/fixture.ts';
import {
  brokerEpochOf,
  brokerIs,
  clusterWith,
  level1With,
  MIN_ISR_2,
  stateOf,
  summary,
  T,
  UNCLEAN,
} from './partitions.ts';

const [HERE, THERE, GONE] = [uuid(51), uuid(52), uuid(53)];

function assign(image: MetadataImage, items: [number, string][], topicId = T, brokerId = 2) {
  const replicas = items.map(([partition, directoryId]) => ({ topicId, partition, directoryId }));
  const request = { brokerId, brokerEpoch: brokerEpochOf(image, brokerId), replicas };
  const decided = decideAssignReplicasToDirs(image, request);
  if (isRefusal(decided)) throw new Error(decided.message);
  const next = after(image, ...decided.records);
  const errors = decided.respond(next).replicas.map(({ error }) => error?.name);
  return { image: next, records: decided.records, errors };
}

/** Broker 2 has the log dirs HERE and THERE. */
const withDirs = (image: MetadataImage) => after(image, registration(2, { logDirs: [HERE, THERE], fenced: false }));

describe('a broker says where its replicas are', () => {
  const image = withDirs(clusterWith({}, {}, { replicas: [1, 3] }));

  it('C-4.2: the partition epoch rises, the leader epoch does not', () => {
    const { errors, image: next } = assign(image, [
      [0, HERE],
      [1, THERE],
    ]);
    expect(errors).toEqual([undefined, undefined]);
    expect(stateOf(next, 0)).toMatchObject({
      directories: [ZERO_UUID, HERE, ZERO_UUID],
      partitionEpoch: 1,
      leaderEpoch: 0,
    });
    expect(stateOf(next, 1).directories).toEqual([ZERO_UUID, THERE, ZERO_UUID]);
    expect(assign(next, [[0, HERE]])).toMatchObject({ records: [], errors: [undefined] });
  });

  it('refuses what is not there, is not its own, or is named twice', () => {
    expect(assign(image, [[0, HERE]], uuid(9)).errors).toEqual(['UNKNOWN_TOPIC_ID']);
    const { errors, records } = assign(image, [
      [3, HERE],
      [-1, HERE],
      [2, HERE],
      [0, GONE],
      [1, HERE],
      [1, HERE],
    ]);
    expect(errors).toEqual([
      'UNKNOWN_TOPIC_OR_PARTITION',
      'UNKNOWN_TOPIC_OR_PARTITION',
      'NOT_LEADER_OR_FOLLOWER',
      'LOG_DIR_NOT_FOUND',
      'INVALID_REQUEST',
      'INVALID_REQUEST',
    ]);
    expect(records).toEqual([]);
  });

  it('C-2.5: refuses another incarnation; and at metadata level 1 all', () => {
    const request = { brokerId: 2, brokerEpoch: 0, replicas: [] };
    expect(decideAssignReplicasToDirs(image, request)).toMatchObject({ refused: 'ABORTED' });
    const old = level1With({});
    const decided = decideAssignReplicasToDirs(old, { ...request, brokerEpoch: brokerEpochOf(old, 2) });
    expect(decided).toMatchObject({ refused: 'INVALID_ARGUMENT', message: expect.stringContaining('cluster upgrade') });
  });
});

describe('S-M11, C-2.4: a replica in another log dir than before', () => {
  const placed = { isr: [1], elr: [2], directories: [ZERO_UUID, GONE, ZERO_UUID] };

  it('is not eligible any more, where that one is gone', () => {
    const image = after(withDirs(clusterWith(placed)), MIN_ISR_2);
    const { image: next } = assign(image, [[0, HERE]]);
    expect(summary(next)).toBe('1 of 1');
    expect(stateOf(next).directories[1]).toBe(HERE);
  });

  it('gives up its place in the ISR, where it has one still', () => {
    const image = after(withDirs(clusterWith({ ...placed, isr: [1, 2], elr: [] })), MIN_ISR_2);
    expect(summary(assign(image, [[0, HERE]]).image)).toBe('1 of 1');
  });

  it('stays what it is, where the broker moved it itself', () => {
    const directories = [ZERO_UUID, THERE, ZERO_UUID];
    const image = after(withDirs(clusterWith({ ...placed, directories })), MIN_ISR_2);
    expect(summary(assign(image, [[0, HERE]]).image)).toBe('1 of 1, ELR 2');
  });
});

describe('D-10.2: a replica that its broker cannot serve', () => {
  const lost = (fields: Parameters<typeof clusterWith>[0], brokerId = 2) =>
    assign(
      withDirs(clusterWith({ directories: [ZERO_UUID, HERE, ZERO_UUID], ...fields })),
      [[0, LOST_DIRECTORY]],
      T,
      brokerId,
    );

  it('leaves the ISR, and another leads where it led', () => {
    const { image, records } = lost({ leader: 2 });
    expect(summary(image)).toBe('1 of 1,3');
    expect(stateOf(image)).toMatchObject({ directories: [ZERO_UUID, LOST_DIRECTORY, ZERO_UUID], leaderEpoch: 1 });
    expect(records[0]?.kind).toMatchObject({ partitionChange: { cause: expect.stringContaining('cannot serve') } });
    expect(assign(image, [[0, LOST_DIRECTORY]]).records).toEqual([]);
  });

  it('leaves the ELR, even as the last one: it may lack what was acknowledged', () => {
    expect(summary(lost({ isr: [], elr: [2], leader: -1, lastKnownLeader: 2 }).image)).toBe('none of , last 2');
    expect(summary(lost({ isr: [2], leader: 2 }).image)).toBe('none of , last 2');
  });

  it('is elected for nothing, not uncleanly either, until it says where it is; nor is it complete then', () => {
    const image = after(lost({ isr: [2], leader: 2 }).image, UNCLEAN);
    const alone = after(image, brokerIs(image, 3, { fenced: true }), brokerIs(image, 1, { fenced: true }));
    expect(electLeaderless(alone, electionPolicyOf(alone), 9)).toEqual([]);
    const back = assign(alone, [[0, HERE]]).image;
    expect(summary(back)).toBe('none of , last 2');
    expect(summary(after(back, ...electLeaderless(back, electionPolicyOf(back), 9)))).toBe('2 of 2, recovering');
  });

  it('of the only replica of a partition nobody has more: it is waited for, and leads when it can be served', () => {
    const image = withDirs(clusterWith({ replicas: [2], directories: [HERE] }));
    const waiting = assign(image, [[0, LOST_DIRECTORY]]).image;
    expect(summary(waiting)).toBe('none of , ELR 2, last 2');
    expect(summary(assign(waiting, [[0, HERE]]).image)).toBe('2 of 2');
  });
});
