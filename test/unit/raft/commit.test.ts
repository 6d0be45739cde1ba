import { describe, expect, it } from 'vitest';
import { majority, majorityEndOffset, nextHighWatermark } from '../../../src/raft/commit.ts';

/** Every list of `count` values out of -1..3. */
function* endOffsetsOf(count: number): Generator<number[]> {
  if (count === 0) {
    yield [];
    return;
  }
  for (const rest of endOffsetsOf(count - 1)) for (let value = -1; value <= 3; value++) yield [value, ...rest];
}

/** by its meaning: the largest offset that more than half of the voters have reached. */
function reachedByMajority(ends: readonly number[]): number {
  for (let offset = 3; offset >= 0; offset--) {
    if (ends.filter((end) => end >= offset).length * 2 > ends.length) return offset;
  }
  return -1;
}

describe('commit arithmetic, exhaustively', () => {
  it('any two majorities intersect, and no smaller number does', () => {
    for (let voters = 1; voters <= 9; voters++) {
      expect(majority(voters) * 2).toBeGreaterThan(voters);
      expect((majority(voters) - 1) * 2).toBeLessThanOrEqual(voters);
    }
  });

  for (let voters = 1; voters <= 5; voters++) {
    it(`R-8.1 the majority's end offset of ${voters} voters`, () => {
      for (const ends of endOffsetsOf(voters)) {
        expect(majorityEndOffset([...ends]), String(ends)).toBe(reachedByMajority(ends));
      }
    });

    it(`R-8.3 strictly above the epoch's start, R-8.4 never down, ${voters} voters`, () => {
      for (const ends of endOffsetsOf(voters)) {
        const reached = reachedByMajority(ends);
        for (let current = -1; current <= 3; current++) {
          for (let epochStart = 0; epochStart <= 3; epochStart++) {
            const next = nextHighWatermark(current, [...ends], epochStart);
            const rises = reached >= epochStart + 1 && reached > current;
            if (next !== (rises ? reached : current)) expect.fail(`${ends} ${current} ${epochStart}: ${next}`);
          }
        }
      }
    });
  }
});
