// the voter sets of the log, oldest first. The last one is in force, committed or not; a cut restores the one before,
// however many go. Invariant: offsets strictly increase; at most the first lies below the log start.
import type { Offset } from '../base/ids.ts';
import type { Voter } from './types.ts';

interface VoterSet {
  /** Of its record's batch. */
  readonly offset: Offset;
  readonly voters: readonly Voter[];
}

export class VoterHistory {
  readonly #sets: VoterSet[] = [];

  /** The set in force, undefined if there is none yet. */
  get latest(): readonly Voter[] | undefined {
    return this.#sets.at(-1)?.voters;
  }

  /** Where the set in force was written, -1 if nowhere in this log. */
  get latestOffset(): Offset {
    return this.#sets.at(-1)?.offset ?? -1;
  }

  /** The set before that one, undefined if this log knows none. */
  get previous(): readonly Voter[] | undefined {
    return this.#sets.at(-2)?.voters;
  }

  push(offset: Offset, voters: readonly Voter[]): void {
    this.#sets.push({ offset, voters });
  }

  /** Forgets those written at or after `endOffset`. */
  truncate(endOffset: Offset): void {
    while (this.latestOffset >= endOffset) this.#sets.pop();
  }

  /** The set that was in force before the record at `offset`. */
  asOf(offset: Offset): readonly Voter[] | undefined {
    return this.#sets.findLast((set) => set.offset < offset)?.voters;
  }

  /** Forgets those that had been replaced before `startOffset`. */
  trim(startOffset: Offset): void {
    const kept = this.#sets.findLastIndex((set) => set.offset < startOffset);
    if (kept > 0) this.#sets.splice(0, kept);
  }

  /** The log begins anew with these. */
  reset(voters: readonly Voter[]): void {
    this.#sets.length = 0;
    this.#sets.push({ offset: -1, voters });
  }
}
