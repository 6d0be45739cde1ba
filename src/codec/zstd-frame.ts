// Measures zstd frames (RFC 8878, section 3.1) without decoding them: where a frame ends, and at most how many bytes it
// yields. The decoders need the output's size before they start, and frames written as a stream do not say it.
import { CodecError } from './error.ts';

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const BLOCK_MAX_BYTES = 128 * 1024;

export interface ZstdFrame {
  /** Where the frame ends in the input, exclusive. */
  readonly end: number;
  /** The frame decodes to at most so many bytes; exactly so many if it declares its content size. */
  readonly maxContentBytes: number;
  readonly declaresSize: boolean;
  /** Whether it is one to be skipped, with nothing to decode. */
  readonly skippable: boolean;
}

/** Measures the frame that starts at `start`. CodecError if damaged. */
export function measureZstdFrame(input: Buffer, start: number): ZstdFrame {
  if (input.length - start < 8) throw new CodecError(`no zstd frame at ${start}`);
  const magic = input.readUInt32LE(start);
  if ((magic & 0xffff_fff0) >>> 0 === SKIPPABLE_MAGIC) {
    const end = start + 8 + input.readUInt32LE(start + 4);
    if (end > input.length) throw new CodecError('zstd skippable frame does not fit its input');
    return { end, maxContentBytes: 0, declaresSize: true, skippable: true };
  }
  if (magic !== FRAME_MAGIC) throw new CodecError(`no zstd frame at ${start}`);
  const header = readHeader(input, start + 4);
  const blocks = measureBlocks(input, header.end, header.hasChecksum);
  const { contentBytes } = header;
  if (contentBytes !== undefined && contentBytes > blocks.maxContentBytes) {
    throw new CodecError(`zstd frame declares ${contentBytes} bytes, more than its blocks can hold`);
  }
  return {
    end: blocks.end,
    maxContentBytes: contentBytes ?? blocks.maxContentBytes,
    declaresSize: contentBytes !== undefined,
    skippable: false,
  };
}

function readHeader(
  input: Buffer,
  at: number,
): { end: number; contentBytes: number | undefined; hasChecksum: boolean } {
  const descriptor = input.readUInt8(at);
  const singleSegment = (descriptor & 0x20) !== 0;
  if ((descriptor & 3) !== 0) throw new CodecError('zstd frame that needs a dictionary');
  const sizeFlag = descriptor >>> 6;
  const sizeBytes = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << sizeFlag;
  const sizeAt = at + 1 + (singleSegment ? 0 : 1);
  const end = sizeAt + sizeBytes;
  if (end > input.length) throw new CodecError('zstd frame ends inside its header');
  let contentBytes: number | undefined;
  if (sizeBytes === 1) contentBytes = input.readUInt8(sizeAt);
  else if (sizeBytes === 2) contentBytes = input.readUInt16LE(sizeAt) + 256;
  else if (sizeBytes === 4) contentBytes = input.readUInt32LE(sizeAt);
  else if (sizeBytes === 8) contentBytes = Number(input.readBigUInt64LE(sizeAt));
  return { end, contentBytes, hasChecksum: (descriptor & 4) !== 0 };
}

function measureBlocks(input: Buffer, start: number, hasChecksum: boolean): { end: number; maxContentBytes: number } {
  let at = start;
  let maxContentBytes = 0;
  let last = false;
  while (!last) {
    if (input.length - at < 3) throw new CodecError('zstd frame ends before its last block');
    const header = input.readUIntLE(at, 3);
    at += 3;
    last = (header & 1) === 1;
    const type = (header >>> 1) & 3;
    const size = header >>> 3;
    if (type === 3) throw new CodecError('zstd block of a reserved type');
    if (size > BLOCK_MAX_BYTES) throw new CodecError(`zstd block of ${size} bytes`);
    maxContentBytes += type === 2 ? BLOCK_MAX_BYTES : size;
    at += type === 1 ? 1 : size;
  }
  const end = at + (hasChecksum ? 4 : 0);
  if (end > input.length) throw new CodecError('zstd frame does not fit its input');
  return { end, maxContentBytes };
}
