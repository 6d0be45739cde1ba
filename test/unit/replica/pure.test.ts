// The parts of replica/ that are arithmetic or bookkeeping only: roles, the high watermark, waiters.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AssertionError } from '../../../src/base/assert.ts';
import type { PartitionState } from '../../../src/metadata/image.ts';
import { nextHighWatermark } from '../../../src/replica/high-watermark.ts';
import { OffsetWaiters } from '../../../src/replica/offset-waiters.ts';
import { checkLeaderEpoch, decideRole } from '../../../src/replica/role.ts';
import { CALM } from '../metadata/fixture.ts';

const SELF = 1;

function state(leader: number, leaderEpoch: number, partitionEpoch: number): PartitionState {
  return { ...CALM, replicas: [1, 2], isr: [1, 2], leader, leaderEpoch, partitionEpoch, directories: [] };
}

const SMALL = [0, 1, 2];
const LEADERS = [-1, SELF, 2];

/** Every state of a small scope. */
const states = LEADERS.flatMap((leader) =>
  SMALL.flatMap((leaderEpoch) => SMALL.map((partitionEpoch) => state(leader, leaderEpoch, partitionEpoch))),
);

/** What a state that begins a leader epoch makes of this broker. */
function begins({ leader }: PartitionState): 'lead' | 'follow' | 'stand-by' {
  return leader === SELF ? 'lead' : leader === -1 ? 'stand-by' : 'follow';
}

describe('decideRole, over every pair of states of a small scope', () => {
  test('a log that was just opened takes any state', () => {
    for (const next of states) expect(decideRole(undefined, next, SELF).kind).toBe(begins(next));
  });

  test('D-0.1, D-0.2: only a newer partition epoch counts, only a higher leader epoch changes the role', () => {
    let [stale, same, kept, changed, broken] = [0, 0, 0, 0, 0];
    for (const known of states) {
      const kind = { lead: 'leader' as const, follow: 'follower' as const, 'stand-by': 'standby' as const }[
        begins(known)
      ];
      for (const next of states) {
        const decide = () => decideRole({ kind, state: known }, next, SELF).kind;
        if (next.partitionEpoch < known.partitionEpoch) {
          stale++;
          expect(decide()).toBe('stale');
        } else if (next.partitionEpoch === known.partitionEpoch) {
          same++;
          expect(decide()).toBe(kind === 'leader' && next.leaderEpoch === known.leaderEpoch ? 'known' : 'stale');
        } else if (next.leaderEpoch < known.leaderEpoch) {
          broken++;
          expect(decide).toThrow(AssertionError);
        } else if (next.leaderEpoch > known.leaderEpoch) {
          changed++;
          expect(decide()).toBe(begins(next));
        } else if (next.leader !== known.leader) {
          broken++;
          expect(decide).toThrow(AssertionError);
        } else {
          kept++;
          expect(decide()).toBe('update');
        }
      }
    }
    expect(Math.min(stale, same, kept, changed, broken)).toBeGreaterThan(0);
  });

  test('checkLeaderEpoch', () => {
    for (let current = 0; current < 4; current++) {
      for (let asked = -1; asked < 5; asked++) {
        const expected =
          asked === -1 || asked === current
            ? undefined
            : asked < current
              ? 'FENCED_LEADER_EPOCH'
              : 'UNKNOWN_LEADER_EPOCH';
        expect(checkLeaderEpoch(asked, current)).toBe(expected);
      }
    }
  });
});

test('nextHighWatermark: never back, never above the slowest, still while the ISR is too small (D-6), in a small scope', () => {
  const offsets = [0, 1, 2, 3];
  const sizes = [0, 1, 2, 3].flatMap((size) => [1, 2, 3].map((min) => [size, min] as const));
  for (const current of offsets) {
    for (const ownEndOffset of offsets) {
      for (const slowestEndOffset of [...offsets, Number.POSITIVE_INFINITY]) {
        for (const [committedIsrSize, minIsr] of sizes) {
          const next = nextHighWatermark({ current, ownEndOffset, slowestEndOffset, committedIsrSize, minIsr });
          const slowest = Math.min(ownEndOffset, slowestEndOffset);
          expect(next).toBe(committedIsrSize >= minIsr ? Math.max(current, slowest) : current);
        }
      }
    }
  }
});

test('OffsetWaiters: each is answered once, at its offset, in order; a failure answers all that are left', async () => {
  const operation = fc.oneof(
    { weight: 5, arbitrary: fc.record({ type: fc.constant('wait' as const), end: fc.nat({ max: 300 }) }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constant('reached' as const), end: fc.nat({ max: 300 }) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('fail' as const), end: fc.constant(0) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 400 }), async (operations) => {
      const waiters = new OffsetWaiters<string>();
      const answers: { end: number; failure: string | undefined }[] = [];
      let waiting: number[] = [];
      for (const { type, end } of operations) {
        const before = answers.length;
        let expected: { end: number; failure: string | undefined }[] = [];
        if (type === 'wait') {
          waiting.push(end);
          void waiters.wait(end).then((failure) => answers.push({ end, failure }));
        } else {
          const done = type === 'fail' ? waiting : waiting.filter((it) => it <= end);
          waiting = waiting.filter((it) => !done.includes(it));
          expected = done
            .toSorted((a, b) => a - b)
            .map((it) => ({ end: it, failure: type === 'fail' ? 'failed' : undefined }));
          if (type === 'fail') waiters.fail('failed');
          else waiters.reached(end);
        }
        await Promise.resolve();
        expect(answers.slice(before)).toEqual(expected);
      }
    }),
    { numRuns: 60 },
  );
});
