// Kafka's time index: 12-byte entries (int64 timestamp, int32 relative offset), timestamps strictly increasing, offsets not
// decreasing. An entry says: up to the record at `offset` no timestamp is greater than `timestamp`, and the batch that ends
// there has it. Kept in memory in the bytes of the file.
import { assert } from '../base/assert.ts';
import { ByteReader } from '../base/bytes.ts';
import type { Offset } from '../base/ids.ts';
import { floorEntry, NO_BYTES, withRoom } from './offset-index.ts';

const ENTRY_BYTES = 12;
const TWO_32 = 0x1_0000_0000;

export interface TimestampOffset {
  readonly timestamp: number;
  readonly offset: Offset;
}

export class TimeIndex {
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

  /** Whether the bytes can be a time index of a segment that ends before `endOffset`. */
  isSane(endOffset: Offset): boolean {
    if (this.#bytes.length % ENTRY_BYTES !== 0) return false;
    let [timestamp, relative] = [-1n, 0];
    for (let i = 0; i < this.#count; i++) {
      const nextTimestamp = this.#bytes.readBigInt64BE(i * ENTRY_BYTES);
      const nextRelative = this.#bytes.readInt32BE(i * ENTRY_BYTES + 8);
      if (nextTimestamp <= timestamp || nextRelative < relative) return false;
      if (nextTimestamp > BigInt(Number.MAX_SAFE_INTEGER)) return false;
      [timestamp, relative] = [nextTimestamp, nextRelative];
    }
    return this.#count === 0 || this.baseOffset + relative < endOffset;
  }

  /** Adds an entry if the timestamp is greater than the last one's, as Kafka's maybeAppend. */
  maybeAppend(timestamp: number, offset: Offset): void {
    const last = this.last();
    if (timestamp <= last.timestamp) return;
    assert(offset >= last.offset, () => `time index entry at ${offset} after ${last.offset}`);
    const at = this.#count * ENTRY_BYTES;
    this.#bytes = withRoom(this.#bytes, at + ENTRY_BYTES);
    const high = Math.floor(timestamp / TWO_32);
    this.#bytes.writeInt32BE(high, at);
    this.#bytes.writeUInt32BE(timestamp - high * TWO_32, at + 4);
    this.#bytes.writeInt32BE(offset - this.baseOffset, at + 8);
    this.#count += 1;
  }

  /** The last entry; timestamp -1 at the base offset if there is none. */
  last(): TimestampOffset {
    return this.#count === 0 ? { timestamp: -1, offset: this.baseOffset } : this.#entry(this.#count - 1);
  }

  /** The greatest entry whose timestamp is not above `timestamp`; timestamp -1 at the base offset if there is none. */
  lookup(timestamp: number): TimestampOffset {
    const found = floorEntry(this.#count, (i) => this.#entry(i).timestamp <= timestamp);
    return found < 0 ? { timestamp: -1, offset: this.baseOffset } : this.#entry(found);
  }

  /** The last entry whose offset is below `endOffset`; timestamp -1 at the base offset if there is none. */
  lookupBelow(endOffset: Offset): TimestampOffset {
    const found = floorEntry(this.#count, (i) => this.#entry(i).offset < endOffset);
    return found < 0 ? { timestamp: -1, offset: this.baseOffset } : this.#entry(found);
  }

  /** Drops the entries at or after `endOffset`. */
  truncate(endOffset: Offset): void {
    this.#count = floorEntry(this.#count, (i) => this.#entry(i).offset < endOffset) + 1;
  }

  #entry(i: number): TimestampOffset {
    const reader = new ByteReader(this.#bytes, i * ENTRY_BYTES);
    return { timestamp: reader.int64(), offset: this.baseOffset + reader.int32() };
  }
}
