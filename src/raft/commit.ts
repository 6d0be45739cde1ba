// The arithmetic of commitment, apart from everything else so that it can be checked exhaustively.
import type { Offset } from '../base/ids.ts';

/** Smallest number of voters of which any two groups intersect. */
export function majority(voterCount: number): number {
  return Math.floor(voterCount / 2) + 1;
}

/**
 * the largest offset below which a majority holds everything: element ⌊n/2⌋ of the ends in descending order.
 * `endOffsets` has one entry for each voter, -1 where unknown, at least one; it is sorted in place.
 */
export function majorityEndOffset(endOffsets: Offset[]): Offset {
  // Insertion sort: a handful of numbers, nearly sorted, no comparator calls.
  for (let i = 1; i < endOffsets.length; i++) {
    const value = endOffsets[i] ?? -1;
    let j = i - 1;
    while (j >= 0 && (endOffsets[j] ?? -1) < value) {
      endOffsets[j + 1] = endOffsets[j] ?? -1;
      j--;
    }
    endOffsets[j + 1] = value;
  }
  return endOffsets[endOffsets.length >>> 1] ?? -1;
}

/**
 * the leader's next high watermark: the majority's end, but only if it covers a record of the leader's own
 * epoch (strictly above `epochStartOffset`) and is above `current` (-1: unknown); otherwise `current`.
 */
export function nextHighWatermark(current: Offset, endOffsets: Offset[], epochStartOffset: Offset): Offset {
  const value = majorityEndOffset(endOffsets);
  return value > epochStartOffset && value > current ? value : current;
}
