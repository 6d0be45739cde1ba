// The arithmetic of the ISR, over all inputs of a small scope.
import { describe, expect, test } from 'vitest';
import type { AlterationOutcome } from '../../../src/replica/alter-partitions.ts';
import type { FollowerState, PendingChange } from '../../../src/replica/isr.ts';
import { afterFetch, hasCaughtUp, isInSync, maximalIsr } from '../../../src/replica/isr.ts';
import { altered, membersOf } from '../../../src/replica/isr-change.ts';
import { lossAtStart } from '../../../src/replica/start-loss.ts';
import { CALM, uuid } from '../metadata/fixture.ts';

const SELF = 1;
const BROKERS = [SELF, 2, 3];
const SMALL = [0, 1, 2, 3];

function follower(fields: Partial<FollowerState>): FollowerState {
  const base = { brokerId: 2, brokerEpoch: 5, logEndOffset: 0, logStartOffset: 0 };
  return { ...base, lastFetchMs: 0, leaderEndOffset: 0, lastCaughtUpMs: 0, ...fields };
}

/** All subsets that have the leader in them. */
function isrs(): number[][] {
  return [[], [2], [3], [2, 3]].map((others) => [SELF, ...others]);
}

test('maximalIsr holds whoever is in the ISR or may be by now, each once (D-5.2)', () => {
  for (const committed of isrs()) {
    expect(maximalIsr(committed, undefined)).toEqual(committed);
    for (const next of isrs()) {
      const members = next.map((brokerId) => ({ brokerId, brokerEpoch: 1 }));
      for (const kind of ['expand', 'shrink', 'recover'] as const) {
        const isJoining = next.some((id) => !committed.includes(id));
        if (isJoining !== (kind === 'expand')) continue;
        const pending: PendingChange = { kind, members };
        const expected = new Set([...committed, ...next]);
        const found = maximalIsr(committed, pending);
        expect([found.length, new Set(found)]).toEqual([expected.size, expected]);
      }
    }
  }
});

test('hasCaughtUp: all that is committed, and all that was there when the leader epoch began (D-4.1)', () => {
  for (const logEndOffset of SMALL) {
    for (const highWatermark of SMALL) {
      for (const epochStartOffset of SMALL) {
        const expected = logEndOffset >= highWatermark && logEndOffset >= epochStartOffset;
        expect(hasCaughtUp(follower({ logEndOffset }), { highWatermark, epochStartOffset })).toBe(expected);
      }
    }
  }
});

describe('lag (D-2.4, D-4.2)', () => {
  test('over every two fetches of a small scope: caught up at the last moment that they prove', () => {
    const leader = (logEndOffset: number, nowMs: number) => ({ logEndOffset, nowMs, sinceMs: 100 });
    const position = (logEndOffset: number) => ({ brokerId: 2, brokerEpoch: 5, logEndOffset, logStartOffset: 0 });
    for (const [firstEnd, firstLeaderEnd] of SMALL.flatMap((a) => SMALL.map((b) => [a, b] as const))) {
      const first = afterFetch(undefined, position(firstEnd), leader(firstLeaderEnd, 200));
      const caughtUpMs = firstEnd >= firstLeaderEnd ? 200 : 100;
      expect(first).toEqual({
        ...position(firstEnd),
        lastFetchMs: 200,
        leaderEndOffset: firstLeaderEnd,
        lastCaughtUpMs: caughtUpMs,
      });
      for (const [end, leaderEnd] of SMALL.flatMap((a) => SMALL.map((b) => [a, b] as const))) {
        const second = afterFetch(first, position(end), leader(leaderEnd, 300));
        const expected = end >= leaderEnd ? 300 : end >= firstLeaderEnd ? 200 : caughtUpMs;
        expect(second.lastCaughtUpMs).toBe(expected);
      }
    }
  });

  test('nobody lags who has everything, or had it not long ago; at the limit it has not yet', () => {
    for (const logEndOffset of [9, 10]) {
      for (const lastCaughtUpMs of [-Infinity, 0, 49, 50, 100]) {
        const expected = logEndOffset === 10 || 100 - lastCaughtUpMs <= 50;
        const leader = { logEndOffset: 10, nowMs: 100 };
        expect(isInSync(follower({ logEndOffset, lastCaughtUpMs }), leader, 50)).toBe(expected);
      }
    }
  });
});

test('membersOf: who stays by the newest registration, who joins by the one that has caught up; never without (KIP-903)', () => {
  const known = {
    brokerId: SELF,
    brokerEpoch: () => 40,
    registeredEpoch: (id: number) => new Map([[2, 42]]).get(id),
  };
  const none = new Map<number, FollowerState>();
  const fetched = new Map([[3, follower({ brokerId: 3, brokerEpoch: 43 })]]);
  expect(membersOf(known, none, [SELF, 2], [])).toEqual([
    { brokerId: SELF, brokerEpoch: 40 },
    { brokerId: 2, brokerEpoch: 42 },
  ]);
  expect(membersOf(known, none, [SELF, 3], [])).toBeUndefined();
  expect(membersOf(known, fetched, [SELF, 3], [])?.at(-1)).toEqual({ brokerId: 3, brokerEpoch: 43 });
  expect(membersOf(known, none, [SELF], [follower({ brokerEpoch: 41 })])?.at(-1)).toEqual({
    brokerId: 2,
    brokerEpoch: 41,
  });
  expect(membersOf({ ...known, brokerEpoch: () => -1 }, none, [SELF], [])).toBeUndefined();
});

test('altered: an answer changes what it proves of this leader epoch, and takes nobody out (D-5.3, C-10.1)', () => {
  const directories = BROKERS.map(() => uuid(1));
  const state = { ...CALM, replicas: BROKERS, directories, leader: SELF, leaderEpoch: 2, partitionEpoch: 7 };
  let [taken, left] = [0, 0];
  for (const isr of isrs()) {
    for (const next of isrs()) {
      for (const leaderEpoch of [1, 2, 3]) {
        for (const partitionEpoch of [6, 7, 8, 9]) {
          const answer: AlterationOutcome = {
            kind: 'altered',
            leaderEpoch,
            partitionEpoch,
            isr: next,
            recovering: false,
          };
          const after = altered({ ...state, isr, adding: [3] }, answer);
          if (leaderEpoch !== 2 || partitionEpoch < 7 || isr.some((id) => !next.includes(id))) {
            left++;
            expect(after).toBeUndefined();
          } else {
            taken++;
            // D-6.1: who was being added and is in sync counts from now on.
            const adding = next.includes(3) ? [] : [3];
            expect(after).toEqual({ ...state, isr: next, partitionEpoch, adding, recovering: false });
          }
        }
      }
    }
  }
  expect(Math.min(taken, left)).toBeGreaterThan(0);
});

test('lossAtStart: what an unclean leader, or one that ends too early, has to say (D-11.1, D-10.2)', () => {
  for (const logEndOffset of SMALL) {
    for (const knownHighWatermark of SMALL) {
      for (const recovering of [false, true]) {
        const starting = { topicId: uuid(1), partition: 4, log: { logEndOffset }, knownHighWatermark };
        const loss = lossAtStart(starting, { leaderEpoch: 6, recovering });
        if (!recovering && knownHighWatermark <= logEndOffset) expect(loss).toBeUndefined();
        else {
          expect(loss).toEqual({
            topicId: uuid(1),
            partition: 4,
            leaderEpoch: 6,
            kind: recovering ? 'led' : 'short',
            fromOffset: logEndOffset,
            toOffset: Math.max(logEndOffset, knownHighWatermark),
            highWatermark: knownHighWatermark,
          });
        }
      }
    }
  }
});
