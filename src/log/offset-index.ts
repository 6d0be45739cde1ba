// Kafka's offset index: 8-byte entries (int32 offset relative to the segment's base, int32 position), both increasing.
// An entry holds the *last* offset of a batch and the position where that batch starts, as in Kafka's LogSegment.
// Kept in memory in the bytes of the file.
import { assert } from '../base/assert.ts';
import type { Offset } from '../base/ids.ts';

const ENTRY_BYTES = 8;

/** Of an index without entries. */
export const NO_BYTES: Buffer = Buffer.alloc(0);

export interface OffsetPosition {
  readonly offset: Offset;
  /** Byte position in the segment. */
  readonly position: number;
}

export class OffsetIndex {
  readonly baseOffset: Offset;
  #bytes: Buffer;
  #count: number;

  /** `bytes`: the content of an index file, or nothing for a new one. Check {@link isSane} before use. */
  constructor(baseOffset: Offset, bytes: Buffer = NO_BYTES) {
    this.baseOffset = baseOffset;
    this.#bytes = bytes;
    this.#count = Math.floor(bytes.length / ENTRY_BYTES);
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes in memory. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** The content of the file, trimmed to the entries. A view. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#count * ENTRY_BYTES);
  }

  /** Whether the bytes can be the index of a segment of `segmentSize` bytes. */
  isSane(segmentSize: number): boolean {
    if (this.#bytes.length % ENTRY_BYTES !== 0) return false;
    let [relative, position] = [-1, -1];
    for (let i = 0; i < this.#count; i++) {
      const nextRelative = this.#bytes.readInt32BE(i * ENTRY_BYTES);
      const nextPosition = this.#bytes.readInt32BE(i * ENTRY_BYTES + 4);
      if (nextRelative <= relative || nextPosition <= position) return false;
      [relative, position] = [nextRelative, nextPosition];
    }
    return position < segmentSize;
  }

  append(lastOffset: Offset, position: number): void {
    const last = this.last();
    assert(lastOffset > last.offset || this.#count === 0, () => `index entry ${lastOffset} after ${last.offset}`);
    const at = this.#count * ENTRY_BYTES;
    this.#bytes = withRoom(this.#bytes, at + ENTRY_BYTES);
    this.#bytes.writeInt32BE(lastOffset - this.baseOffset, at);
    this.#bytes.writeInt32BE(position, at + 4);
    this.#count += 1;
  }

  /** The last entry, or the segment's start. */
  last(): OffsetPosition {
    return this.#count === 0 ? { offset: this.baseOffset, position: 0 } : this.#entry(this.#count - 1);
  }

  /** The greatest entry whose offset is not above `offset`, or the segment's start. */
  lookup(offset: Offset): OffsetPosition {
    const found = floorEntry(this.#count, (i) => this.#entry(i).offset <= offset);
    return found < 0 ? { offset: this.baseOffset, position: 0 } : this.#entry(found);
  }

  /** The first entry whose offset is above `offset`; undefined if there is none. */
  after(offset: Offset): OffsetPosition | undefined {
    const floor = floorEntry(this.#count, (i) => this.#entry(i).offset <= offset);
    return floor + 1 < this.#count ? this.#entry(floor + 1) : undefined;
  }

  /** Drops the entries at or after `position`. */
  truncate(position: number): void {
    this.#count = floorEntry(this.#count, (i) => this.#entry(i).position < position) + 1;
  }

  #entry(i: number): OffsetPosition {
    return {
      offset: this.baseOffset + this.#bytes.readInt32BE(i * ENTRY_BYTES),
      position: this.#bytes.readInt32BE(i * ENTRY_BYTES + 4),
    };
  }
}

/** The last of `count` entries for which `holds`, -1 if none; `holds` is true for a prefix of the entries. */
export function floorEntry(count: number, holds: (i: number) => boolean): number {
  let [low, high] = [-1, count];
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** The buffer, or a copy with at least `size` bytes. */
export function withRoom(bytes: Buffer, size: number): Buffer {
  if (bytes.length >= size) return bytes;
  const bigger = Buffer.alloc(Math.max(size, bytes.length * 2, 96));
  bytes.copy(bigger);
  return bigger;
}
