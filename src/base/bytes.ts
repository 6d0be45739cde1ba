// Big-endian reader and writer over Buffers, with Kafka's varints. Owns bounds checks: a short input is a
// BytesError with the position, never an out-of-range read. Strings are UTF-8.

/** Input that ended too early or does not make sense. The peer's fault, not ours: close, refuse, or cut. */
export class BytesError extends Error {
  override name = 'BytesError';
}

const TWO_32 = 0x1_0000_0000;

/** A 64-bit value outside the safe integers cannot be an offset, a timestamp or an id of ours. */
function safe(high: number, low: number): number {
  const value = high * TWO_32 + low;
  if (!Number.isSafeInteger(value)) throw new BytesError(`64-bit number ${value} is outside the safe integers`);
  return value;
}

export class ByteReader {
  readonly buffer: Buffer;
  /** Next byte to read; `0 <= position <= end`. */
  position: number;
  readonly end: number;

  constructor(buffer: Buffer, position = 0, end = buffer.length) {
    this.buffer = buffer;
    this.position = position;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.position;
  }

  /** Claims `count` bytes and returns where they start. */
  skip(count: number): number {
    const at = this.position;
    if (count < 0 || count > this.end - at) {
      throw new BytesError(`${count} bytes wanted at ${at}, ${this.end - at} left`);
    }
    this.position = at + count;
    return at;
  }

  int8(): number {
    return this.buffer.readInt8(this.skip(1));
  }
  uint8(): number {
    return this.buffer.readUInt8(this.skip(1));
  }
  int16(): number {
    return this.buffer.readInt16BE(this.skip(2));
  }
  uint16(): number {
    return this.buffer.readUInt16BE(this.skip(2));
  }
  int32(): number {
    return this.buffer.readInt32BE(this.skip(4));
  }
  uint32(): number {
    return this.buffer.readUInt32BE(this.skip(4));
  }
  /** A signed 64-bit number; BytesError outside the safe integers. */
  int64(): number {
    const at = this.skip(8);
    return safe(this.buffer.readInt32BE(at), this.buffer.readUInt32BE(at + 4));
  }
  bigint64(): bigint {
    return this.buffer.readBigInt64BE(this.skip(8));
  }
  float64(): number {
    return this.buffer.readDoubleBE(this.skip(8));
  }

  /** Unsigned LEB128 of up to 5 bytes, 0 .. 2^32-1. */
  uvarint(): number {
    const first = this.uint8();
    if (first < 0x80) return first;
    let value = first & 0x7f;
    for (let shift = 7; shift < 35; shift += 7) {
      const byte = this.uint8();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value >= TWO_32) break;
        return value;
      }
    }
    throw new BytesError(`varint longer than 32 bits before ${this.position}`);
  }

  /** Zigzag varint, -2^31 .. 2^31-1. */
  varint(): number {
    const raw = this.uvarint();
    return (raw >>> 1) ^ -(raw & 1);
  }

  /** Zigzag varint of up to 64 bits; BytesError outside the safe integers. */
  varlong(): number {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.uint8();
      if (shift === 0n && byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
      if (shift === 63n && byte > 1) break;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        const signed = BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n));
        const number = Number(signed);
        if (!Number.isSafeInteger(number)) throw new BytesError(`varlong ${signed} is outside the safe integers`);
        return number;
      }
    }
    throw new BytesError(`varlong longer than 64 bits before ${this.position}`);
  }

  /** A view, not a copy. */
  bytes(count: number): Buffer {
    const at = this.skip(count);
    return this.buffer.subarray(at, at + count);
  }

  utf8(count: number): string {
    const at = this.skip(count);
    return this.buffer.toString('utf8', at, at + count);
  }
}

/** Grows by doubling; `finish` returns a view of what was written. Values outside a field's range throw RangeError. */
export class ByteWriter {
  buffer: Buffer;
  /** Bytes written so far. */
  position = 0;

  constructor(capacity = 256) {
    this.buffer = Buffer.allocUnsafe(capacity);
  }

  /** Makes room for `count` bytes and returns where they go. */
  claim(count: number): number {
    const at = this.position;
    const need = at + count;
    if (need > this.buffer.length) {
      const bigger = Buffer.allocUnsafe(Math.max(need, this.buffer.length * 2));
      this.buffer.copy(bigger, 0, 0, at);
      this.buffer = bigger;
    }
    this.position = need;
    return at;
  }

  int8(value: number): void {
    const at = this.claim(1);
    this.buffer.writeInt8(value, at);
  }
  uint8(value: number): void {
    const at = this.claim(1);
    this.buffer.writeUInt8(value, at);
  }
  int16(value: number): void {
    const at = this.claim(2);
    this.buffer.writeInt16BE(value, at);
  }
  uint16(value: number): void {
    const at = this.claim(2);
    this.buffer.writeUInt16BE(value, at);
  }
  int32(value: number): void {
    const at = this.claim(4);
    this.buffer.writeInt32BE(value, at);
  }
  uint32(value: number): void {
    const at = this.claim(4);
    this.buffer.writeUInt32BE(value, at);
  }
  int64(value: number): void {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not a safe integer`);
    const at = this.claim(8);
    const high = Math.floor(value / TWO_32);
    this.buffer.writeInt32BE(high, at);
    this.buffer.writeUInt32BE(value - high * TWO_32, at + 4);
  }
  bigint64(value: bigint): void {
    const at = this.claim(8);
    this.buffer.writeBigInt64BE(value, at);
  }
  float64(value: number): void {
    const at = this.claim(8);
    this.buffer.writeDoubleBE(value, at);
  }

  /** 0 .. 2^32-1. */
  uvarint(value: number): void {
    if (value >>> 0 !== value) throw new RangeError(`${value} is not an unsigned 32-bit integer`);
    let rest = value;
    while (rest >= 0x80) {
      this.uint8((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.uint8(rest);
  }

  /** Zigzag, -2^31 .. 2^31-1. */
  varint(value: number): void {
    if ((value | 0) !== value) throw new RangeError(`${value} is not a 32-bit integer`);
    this.uvarint(((value << 1) ^ (value >> 31)) >>> 0);
  }

  /** Zigzag, the safe integers. */
  varlong(value: number): void {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not a safe integer`);
    if (value >= -0x4000_0000 && value < 0x4000_0000) {
      this.varint(value);
      return;
    }
    const signed = BigInt(value);
    let rest = BigInt.asUintN(64, (signed << 1n) ^ (signed >> 63n));
    while (rest >= 0x80n) {
      this.uint8(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.uint8(Number(rest));
  }

  bytes(value: Uint8Array): void {
    const at = this.claim(value.length);
    this.buffer.set(value, at);
  }

  utf8(value: string): void {
    const length = Buffer.byteLength(value, 'utf8');
    const at = this.claim(length);
    this.buffer.write(value, at, length, 'utf8');
  }

  finish(): Buffer {
    return this.buffer.subarray(0, this.position);
  }
}

/** A Buffer over the same memory. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
