// The offset of the last record of each key, for one compaction: 24 bytes a key (hash and offset) in memory that is claimed once.
// Open addressing with linear probing: at most nine tenths of the slots are filled. Keys themselves are not kept, see key-hash.ts.
import { assert } from '../../base/assert.ts';
import type { Offset } from '../../base/ids.ts';
import { KeyHash } from './key-hash.ts';

export const BYTES_PER_KEY = 24;
/** Kafka's log.cleaner.io.buffer.load.factor. */
const LOAD_FACTOR = 0.9;

export class OffsetMap {
  readonly #slots: number;
  /** Six words a slot: the hash in the first four, and in the place of the last two (as a double) the offset + 1; 0: free. */
  readonly #words: Int32Array;
  readonly #offsets: Float64Array;
  readonly #hash: KeyHash;
  #size = 0;
  /** How many different keys fit. */
  readonly capacity: number;

  /** Takes at most `maxBytes`, and no more than so many keys need; `secret` as for {@link KeyHash}. */
  constructor(maxBytes: number, maxKeys: number, secret: Uint8Array) {
    const slots = Math.min(Math.floor(maxBytes / BYTES_PER_KEY), Math.ceil((maxKeys + 1) / LOAD_FACTOR));
    assert(slots >= 2, () => `${maxBytes} bytes are too few for an offset map`);
    this.#slots = slots;
    // Zeroed pages come from the system when they are first touched: a large map that stays empty costs nothing.
    const memory = new ArrayBuffer(slots * BYTES_PER_KEY);
    this.#words = new Int32Array(memory);
    this.#offsets = new Float64Array(memory);
    this.#hash = new KeyHash(secret);
    this.capacity = Math.max(1, Math.floor(slots * LOAD_FACTOR));
  }

  /** Different keys in it. */
  get size(): number {
    return this.#size;
  }

  /** Notes the key in bytes [start, end) at `offset`, above all noted before. False if it is new and there is no room. */
  put(bytes: Uint8Array, start: number, end: number, offset: Offset): boolean {
    const slot = this.#slotOf(bytes, start, end);
    if (this.#offsets[slot * 3 + 2] === 0) {
      if (this.#size >= this.capacity) return false;
      this.#size += 1;
      const { h0, h1, h2, h3 } = this.#hash;
      const at = slot * 6;
      this.#words[at] = h0;
      this.#words[at + 1] = h1;
      this.#words[at + 2] = h2;
      this.#words[at + 3] = h3;
    }
    this.#offsets[slot * 3 + 2] = offset + 1;
    return true;
  }

  /** The last offset noted for the key, -1 if none. */
  get(bytes: Uint8Array, start: number, end: number): Offset {
    return (this.#offsets[this.#slotOf(bytes, start, end) * 3 + 2] as number) - 1;
  }

  /** Where the key is, or the free slot where it would go. */
  #slotOf(bytes: Uint8Array, start: number, end: number): number {
    const hash = this.#hash;
    hash.hash(bytes, start, end);
    const { h0, h1, h2, h3 } = hash;
    const words = this.#words;
    for (let slot = (h0 >>> 0) % this.#slots; ; ) {
      const at = slot * 6;
      if (words[at] === h0 && words[at + 1] === h1 && words[at + 2] === h2 && words[at + 3] === h3) {
        if (this.#offsets[slot * 3 + 2] !== 0) return slot;
      }
      if (this.#offsets[slot * 3 + 2] === 0) return slot;
      slot = slot + 1 === this.#slots ? 0 : slot + 1;
    }
  }
}
