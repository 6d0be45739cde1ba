// Measures LZ4 frames (lz4_Frame_format.md, LZ4_Block_format.md) without decoding them: where a frame ends, and exactly
// how many bytes it yields. The native decoder has no output limit, stops at the end of the first frame, and takes some
// damaged input for an empty one, so nothing reaches it that was not measured.
import { CodecError, tooLarge } from './error.ts';

const FRAME_MAGIC = 0x184d2204;
const STORED_BLOCK = 0x8000_0000;
const BLOCK_CHECKSUM = 0x10;
const CONTENT_SIZE = 0x08;
const CONTENT_CHECKSUM = 0x04;
const DICTIONARY_ID = 0x01;

export interface MeasuredFrame {
  /** Where the frame ends in the input, exclusive. */
  readonly end: number;
  /** Bytes that it decodes to. */
  readonly contentBytes: number;
}

/** Measures the frame that starts at `start`. CodecError if damaged or longer than `maxBytes`. */
export function measureLz4Frame(input: Buffer, start: number, maxBytes: number): MeasuredFrame {
  let at = start;
  if (input.length - at < 7 || input.readUInt32LE(at) !== FRAME_MAGIC) throw new CodecError(`no LZ4 frame at ${at}`);
  const flags = input.readUInt8(at + 4);
  if (flags >>> 6 !== 1) throw new CodecError(`LZ4 frame version ${flags >>> 6}`);
  if (flags & DICTIONARY_ID) throw new CodecError('LZ4 frame that needs a dictionary');
  const blockSizeId = (input.readUInt8(at + 5) >>> 4) & 7;
  if (blockSizeId < 4) throw new CodecError(`LZ4 block size id ${blockSizeId}`);
  const blockMaxBytes = 1 << (8 + 2 * blockSizeId);
  at += 7 + (flags & CONTENT_SIZE ? 8 : 0);
  let contentBytes = 0;
  for (;;) {
    if (input.length - at < 4) throw new CodecError('LZ4 frame without an end');
    const header = input.readUInt32LE(at);
    at += 4;
    if (header === 0) break;
    const stored = header >= STORED_BLOCK;
    const length = stored ? header - STORED_BLOCK : header;
    if (length > input.length - at) throw new CodecError(`LZ4 block at ${at} does not fit its input`);
    const blockBytes = stored ? length : measureBlock(input, at, at + length);
    if (blockBytes > blockMaxBytes) throw new CodecError(`LZ4 block of ${blockBytes} bytes, ${blockMaxBytes} allowed`);
    contentBytes += blockBytes;
    if (contentBytes > maxBytes) throw tooLarge('LZ4', maxBytes);
    at += length + (flags & BLOCK_CHECKSUM ? 4 : 0);
  }
  if (flags & CONTENT_CHECKSUM) at += 4;
  if (at > input.length) throw new CodecError('LZ4 frame without its checksum');
  return { end: at, contentBytes };
}

/** Walks the sequences of a compressed block: literals, then a match, until literals end the block. */
function measureBlock(input: Buffer, start: number, end: number): number {
  let at = start;
  let total = 0;
  while (at < end) {
    const token = input[at++] as number;
    let literals = token >>> 4;
    if (literals === 15) {
      let more: number;
      do {
        if (at >= end) throw truncatedBlock(start);
        more = input[at++] as number;
        literals += more;
      } while (more === 255);
    }
    if (literals > end - at) throw truncatedBlock(start);
    at += literals;
    total += literals;
    if (at === end) return total;
    if (end - at < 2) throw truncatedBlock(start);
    at += 2;
    let match = (token & 15) + 4;
    if (match === 19) {
      let more: number;
      do {
        if (at >= end) throw truncatedBlock(start);
        more = input[at++] as number;
        match += more;
      } while (more === 255);
    }
    total += match;
  }
  throw truncatedBlock(start);
}

function truncatedBlock(start: number): CodecError {
  return new CodecError(`LZ4 block at ${start} ends inside a sequence`);
}
