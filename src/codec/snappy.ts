// Snappy, in the two forms that Kafka clients write: raw, and xerial's framing (snappy-java's SnappyOutputStream):
// an 8-byte magic, version 1, compatible version 1, then chunks of int32 length and raw snappy. Kafka writes the latter.
import { CodecError, decoding, tooLarge } from './error.ts';
import { lazily } from './native.ts';

const native = lazily((require) => require('snappy') as typeof import('snappy'));

const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER = Buffer.concat([XERIAL_MAGIC, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])]);

/** snappy-java's default block. */
const BLOCK_BYTES = 32 * 1024;

/** No element of the format yields more than 64 bytes from its 3: a longer claim is a lie. */
const MOST_BYTES_PER_BYTE = 22;

/** Xerial framing around raw blocks of 32 KiB. */
export function compressSnappy(input: Buffer): Buffer {
  const parts: Buffer[] = [XERIAL_HEADER];
  for (let at = 0; at < input.length; at += BLOCK_BYTES) {
    const block = native().compressSync(input.subarray(at, at + BLOCK_BYTES));
    const length = Buffer.allocUnsafe(4);
    length.writeInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

/** Either form. CodecError if damaged or longer than `maxBytes`. */
export function decompressSnappy(input: Buffer, maxBytes: number): Buffer {
  const framed = input.length >= XERIAL_HEADER.length && input.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC);
  if (!framed) return decompressBlock(input, maxBytes);
  const parts: Buffer[] = [];
  let total = 0;
  for (let at = XERIAL_HEADER.length; at < input.length; ) {
    const length = at + 4 <= input.length ? input.readInt32BE(at) : -1;
    at += 4;
    if (length < 0 || length > input.length - at) throw new CodecError(`snappy chunk at ${at} does not fit its input`);
    const part = decompressBlock(input.subarray(at, at + length), maxBytes - total);
    parts.push(part);
    total += part.length;
    at += length;
  }
  return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, total);
}

function decompressBlock(block: Buffer, maxBytes: number): Buffer {
  const length = claimedLength(block);
  if (length > maxBytes) throw tooLarge('snappy', maxBytes);
  if (length > block.length * MOST_BYTES_PER_BYTE) throw new CodecError(`snappy block claims ${length} bytes`);
  return decoding('snappy', () => native().uncompressSync(block) as Buffer);
}

/** The uvarint before a raw block: how long it will be. */
function claimedLength(block: Buffer): number {
  let length = 0;
  for (let i = 0; i < 5; i++) {
    const byte = block[i];
    if (byte === undefined) break;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return length;
  }
  throw new CodecError('snappy block without a length');
}
