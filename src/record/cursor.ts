// Walks the records of a batch by their lengths, without an object for each: for work that looks at every record of a log. Reads what
// such work needs (offset, key, whether there is a value), and steps over the rest.
import type { Offset } from '../base/ids.ts';
import { RecordError } from './record.ts';

export class RecordCursor {
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  #left = 0;
  #baseOffset: Offset = 0;
  /** Where the record starts, with its length field, and where it ends. */
  start = 0;
  end = 0;
  /** Where its attributes are: after the length field. */
  bodyStart = 0;
  /** Where the offset delta is: after attributes and timestamp delta. */
  offsetAt = 0;
  offset: Offset = 0;
  /** The key is bytes [keyStart, keyEnd); keyStart is -1 if there is none. */
  keyStart = -1;
  keyEnd = -1;
  /** Without one the record is a tombstone. */
  hasValue = false;

  /** Goes to before the first of `count` records, whose uncompressed bytes are [start, end). */
  open(bytes: Uint8Array, start: number, end: number, count: number, baseOffset: Offset): void {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#left = count;
    this.#baseOffset = baseOffset;
  }

  /** Steps to the next record; false after the last. RecordError if the bytes are no records, or not so many. */
  next(): boolean {
    if (this.#left === 0) {
      if (this.#at !== this.#end) throw new RecordError(`${this.#end - this.#at} bytes after the last record`);
      return false;
    }
    this.#left -= 1;
    this.start = this.#at;
    const length = this.#varint();
    this.bodyStart = this.#at;
    const end = this.#at + length;
    if (length < 0 || end > this.#end) throw new RecordError(`record of ${length} bytes, ${this.#end - this.#at} left`);
    this.#at += 1;
    while ((this.#bytes[this.#at] as number) >= 0x80) this.#at += 1;
    this.#at += 1;
    this.offsetAt = this.#at;
    this.offset = this.#baseOffset + this.#varint();
    const keyLength = this.#varint();
    this.keyStart = keyLength < 0 ? -1 : this.#at;
    if (keyLength > 0) this.#at += keyLength;
    this.keyEnd = keyLength < 0 ? -1 : this.#at;
    const valueLength = this.#varint();
    this.hasValue = valueLength >= 0;
    if (valueLength > 0) this.#at += valueLength;
    if (this.#at > end) throw new RecordError(`record at offset ${this.offset} is longer than it says`);
    this.#at = end;
    this.end = end;
    return true;
  }

  /** What the record's timestamp is above the batch's base timestamp. */
  timestampDelta(): number {
    let value = 0n;
    let at = this.bodyStart + 1;
    const first = this.#bytes[at] as number;
    if (first < 0x80) return (first >>> 1) ^ -(first & 1);
    for (let shift = 0n; at < this.offsetAt; shift += 7n) {
      value |= BigInt((this.#bytes[at] as number) & 0x7f) << shift;
      at += 1;
    }
    return Number(BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n)));
  }

  #varint(): number {
    let byte = this.#bytes[this.#at++] as number;
    let raw = byte & 0x7f;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      if (shift > 28 || this.#at >= this.#end) throw new RecordError(`varint too long before ${this.#at}`);
      byte = this.#bytes[this.#at++] as number;
      raw |= (byte & 0x7f) << shift;
    }
    return (raw >>> 1) ^ -(raw & 1);
  }
}
