// What is printed of replicas: their lag, and what an unclean election would cost.
import { describe, expect, test } from 'vitest';
import { possibleLossText } from '../../../src/cli/possible-loss-text.ts';
import { lagOfEach, largestLag, toldOf } from '../../../src/cli/replica-lag.ts';
import type { PartitionDescription, PossibleLoss, ReplicaDescription } from '../../../src/gen/kvorum/v1/admin.ts';

const STATE: PartitionDescription = {
  partition: 0,
  leader: 4,
  leaderEpoch: 1,
  partitionEpoch: 3,
  replicas: [4, 5, 6],
  isr: [4, 5],
  elr: [],
  lastKnownLeader: -1,
  recovering: false,
  adding: [],
  removing: [],
  directories: [],
  leaderOffset: 9,
};

function replica(
  brokerId: number,
  role: string,
  logEndOffset: number,
  ends: readonly number[] = [],
): ReplicaDescription {
  const followers = ends.map((end, i) => ({ brokerId: 5 + i, logEndOffset: end, caughtUpMsAgo: 0, inSync: true }));
  const offsets = { leaderEpoch: 1, logStartOffset: 0, highWatermark: 0, logEndOffset };
  return { topic: 't', partition: 0, brokerId, role, failure: '', ...offsets, epochs: [], followers, pendingIsr: [] };
}

function lags(told: readonly ReplicaDescription[], state = STATE) {
  const replicas = toldOf([{ name: 't', partitions: [state] }], told).get('t/0');
  return [largestLag(state, replicas), lagOfEach(state, replicas)];
}

describe('lag', () => {
  test('is the largest, as the leader knows it', () => {
    expect(lags([replica(4, 'leader', 100, [100, 60]), replica(6, 'follower', 70)])).toEqual([40, '5:0 6:40']);
  });

  test('is what the replica itself says where the leader has heard nothing yet', () => {
    expect(lags([replica(4, 'leader', 100, [100, -1]), replica(6, 'follower', 70)])).toEqual([30, '5:0 6:30']);
    expect(lags([replica(4, 'leader', 100, [100, -1])])).toEqual(['?', '5:0 6:?']);
  });

  test('is not known where the leader does not answer, or thinks that it is none', () => {
    expect(lags([replica(5, 'follower', 100), replica(6, 'follower', 70)])).toEqual(['?', '5:? 6:?']);
    expect(lags([replica(4, 'standby', 100), replica(5, 'leader', 100, [100, 90])])).toEqual(['?', '5:? 6:?']);
    expect(lags([])).toEqual(['?', '5:? 6:?']);
  });

  test('is none of a partition that nobody leads, or that has one replica', () => {
    expect(lags([replica(4, 'leader', 100)], { ...STATE, leader: -1 })).toEqual(['-', '-']);
    expect(lags([replica(4, 'leader', 100)], { ...STATE, replicas: [4] })).toEqual(['-', '-']);
  });
});

describe('what an unclean election would cost', () => {
  const NOTHING: PossibleLoss = {
    firstOffset: 100,
    knownEndOffset: 100,
    highWatermark: 90,
    silent: [],
    silentFromOffset: -1,
  };
  const text = (loss: Partial<PossibleLoss> | undefined): string =>
    possibleLossText({
      topic: 't',
      partition: 0,
      error: undefined,
      leader: 4,
      possibleLoss: loss && { ...NOTHING, ...loss },
    });

  test.each([
    [{}, 'no record that another replica has would go'],
    [{ knownEndOffset: 130 }, 'offsets 100 to 129 would go, none of them known to be committed'],
    [{ knownEndOffset: 130, highWatermark: 120 }, 'offsets 100 to 129 would go, offsets 100 to 119 of them committed'],
    [{ knownEndOffset: 101, highWatermark: 120 }, 'offset 100 would go, all of them committed'],
    [
      { silent: [5], silentFromOffset: 90 },
      'broker 5 does not answer, and what only it has from offset 90 on would go',
    ],
    [
      { knownEndOffset: 130, silent: [5, 6], silentFromOffset: 90 },
      'offsets 100 to 129 would go, none of them known to be committed; ' +
        'brokers 5,6 do not answer, and what only they have from offset 90 on would go too',
    ],
    [{ firstOffset: -1, silent: [4] }, 'which records would go is not known, as broker 4 does not answer'],
    [undefined, 'which records would go is not known'],
  ])('%o', (loss, expected) => {
    expect(text(loss)).toBe(expected);
  });
});
