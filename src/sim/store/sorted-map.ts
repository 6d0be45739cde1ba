// An ordered map of byte keys: sorted blocks of bounded length, so an insertion moves one block's entries and no more.

const BLOCK_ENTRIES = 128;

export type Entry = readonly [key: Buffer, value: Buffer];

export class SortedMap {
  /** Every block but a sole first one is non-empty. */
  readonly #blocks: Entry[][] = [[]];

  get(key: Uint8Array): Buffer | undefined {
    const block = this.#blocks[this.#blockOf(key)] as Entry[];
    const entry = block[lowerBound(block, key)];
    return entry !== undefined && entry[0].equals(key) ? entry[1] : undefined;
  }

  /** Sets, or deletes where `value` is undefined; returns what was there. */
  set(key: Buffer, value: Buffer | undefined): Buffer | undefined {
    const index = this.#blockOf(key);
    const block = this.#blocks[index] as Entry[];
    const at = lowerBound(block, key);
    const found = block[at];
    const present = found !== undefined && found[0].equals(key);
    if (value !== undefined) {
      block.splice(at, present ? 1 : 0, [key, value]);
      if (block.length > BLOCK_ENTRIES) this.#blocks.splice(index + 1, 0, block.splice(block.length >>> 1));
    } else if (present) {
      block.splice(at, 1);
      if (block.length === 0 && this.#blocks.length > 1) this.#blocks.splice(index, 1);
    }
    return present ? found[1] : undefined;
  }

  /** Entries with from <= key < to, in order or in reverse, at most `limit`. */
  range(from: Uint8Array | undefined, to: Uint8Array | undefined, reverse: boolean, limit: number): Entry[] {
    const found: Entry[] = [];
    const inside = ([key]: Entry): boolean =>
      (from === undefined || Buffer.compare(key, from) >= 0) && (to === undefined || Buffer.compare(key, to) < 0);
    const edge = reverse ? to : from;
    const step = reverse ? -1 : 1;
    let index = edge === undefined ? (reverse ? this.#blocks.length - 1 : 0) : this.#blockOf(edge);
    let block = this.#blocks[index];
    let at =
      block === undefined || edge === undefined ? (reverse ? (block?.length ?? 0) - 1 : 0) : lowerBound(block, edge);
    if (edge !== undefined && reverse) at--;
    for (; block !== undefined && found.length < limit; index += step, block = this.#blocks[index]) {
      if (at === END) at = reverse ? block.length - 1 : 0;
      for (; at >= 0 && at < block.length && found.length < limit; at += step) {
        const entry = block[at] as Entry;
        if (!inside(entry)) return found;
        found.push(entry);
      }
      at = END;
    }
    return found;
  }

  /** The last block whose first key is <= `key`, or the first block. */
  #blockOf(key: Uint8Array): number {
    let low = 0;
    let high = this.#blocks.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      const first = this.#blocks[middle]?.[0];
      if (first !== undefined && Buffer.compare(first[0], key) <= 0) low = middle;
      else high = middle;
    }
    return low;
  }
}

/** Marks "start at the near end of the next block". */
const END = -2;

/** The first entry whose key is >= `key`. */
function lowerBound(block: readonly Entry[], key: Uint8Array): number {
  let low = 0;
  let high = block.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (Buffer.compare((block[middle] as Entry)[0], key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
