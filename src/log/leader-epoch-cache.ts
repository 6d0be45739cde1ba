// Where each leader epoch begins in a log (D-1, KIP-101/279): entries (epoch, startOffset), both strictly increasing.
// Plain memory; the log makes every change durable before it tells anybody about data of that epoch (D-1.4).
import { assert } from '../base/assert.ts';
import type { Epoch, Offset } from '../base/ids.ts';

export interface EpochEntry {
  readonly epoch: Epoch;
  readonly startOffset: Offset;
}

/** The end (exclusive) of the largest epoch that is not above the one asked for. */
export interface EpochEndOffset {
  readonly epoch: Epoch;
  readonly endOffset: Offset;
}

export class LeaderEpochCache {
  #entries: EpochEntry[];

  /** Entries must be strictly increasing in both fields. */
  constructor(entries: readonly EpochEntry[] = []) {
    for (const [i, entry] of entries.entries()) {
      const previous = entries[i - 1];
      assert(
        previous === undefined || (previous.epoch < entry.epoch && previous.startOffset < entry.startOffset),
        () => `leader epochs out of order: ${JSON.stringify(previous)} before ${JSON.stringify(entry)}`,
      );
    }
    this.#entries = [...entries];
  }

  get entries(): readonly EpochEntry[] {
    return this.#entries;
  }

  /** -1 if none is known. Epoch 0 is a valid epoch. */
  get latestEpoch(): Epoch {
    return this.#entries.at(-1)?.epoch ?? -1;
  }

  /**
   * Notes that `epoch` starts at `startOffset`; tail entries that contradict it go (D-1.1).
   * Returns whether anything changed.
   */
  assign(epoch: Epoch, startOffset: Offset): boolean {
    assert(epoch >= 0 && startOffset >= 0, () => `epoch ${epoch} at offset ${startOffset}`);
    if (this.epochOf(startOffset) === epoch) return false;
    let keep = this.#entries.length;
    while (keep > 0) {
      const last = this.#entries[keep - 1] as EpochEntry;
      if (last.epoch < epoch && last.startOffset < startOffset) break;
      keep -= 1;
    }
    this.#entries.length = keep;
    this.#entries.push({ epoch, startOffset });
    return true;
  }

  /** The epoch under which the record at `offset` was (or, at the end, would be) written; -1 if before all entries. */
  epochOf(offset: Offset): Epoch {
    for (let i = this.#entries.length - 1; i >= 0; i--) {
      const entry = this.#entries[i] as EpochEntry;
      if (entry.startOffset <= offset) return entry.epoch;
    }
    return -1;
  }

  /** D-1.2. Undefined: nothing can be said about this epoch. */
  endOffsetFor(epoch: Epoch, logEndOffset: Offset): EpochEndOffset | undefined {
    if (epoch < 0) return undefined;
    if (epoch === this.latestEpoch) return { epoch, endOffset: logEndOffset };
    const higher = this.#entries.findIndex((entry) => entry.epoch > epoch);
    if (higher < 0) return undefined;
    const endOffset = (this.#entries[higher] as EpochEntry).startOffset;
    const floor = this.#entries[higher - 1];
    return { epoch: floor === undefined ? epoch : floor.epoch, endOffset };
  }

  /** Drops the entries that start at or after `offset` (D-1.3). Returns whether anything changed. */
  truncateFromEnd(offset: Offset): boolean {
    const before = this.#entries.length;
    this.#entries = this.#entries.filter((entry) => entry.startOffset < offset);
    return this.#entries.length !== before;
  }

  /** Drops what lies below `offset`; the epoch that covers it now starts there (D-1.3). Returns whether anything changed. */
  truncateFromStart(offset: Offset): boolean {
    const covering = this.epochOf(offset);
    const first = this.#entries[0];
    if (covering < 0 || first === undefined || first.startOffset >= offset) return false;
    const above = this.#entries.filter((entry) => entry.startOffset > offset);
    this.#entries = [{ epoch: covering, startOffset: offset }, ...above];
    return true;
  }
}
