// LZ4 frames. Kafka writes one frame with independent blocks; concatenated frames are read as well.
import { CodecError, decoding } from './error.ts';
import { measureLz4Frame } from './lz4-frame.ts';
import { lazily } from './native.ts';

const native = lazily((require) => require('lz4-napi') as typeof import('lz4-napi'));

/** One frame with independent blocks, which is all that Kafka's Java clients read. */
export function compressLz4(input: Buffer): Buffer {
  return native().compressFrameSync(input);
}

/** All frames. CodecError if damaged or longer than `maxBytes`. */
export function decompressLz4(input: Buffer, maxBytes: number): Buffer {
  const parts: Buffer[] = [];
  let total = 0;
  let at = 0;
  do {
    const frame = measureLz4Frame(input, at, maxBytes - total);
    const bytes = input.subarray(at, frame.end);
    const part = decoding('LZ4', () => native().decompressFrameSync(bytes));
    if (part.length !== frame.contentBytes) {
      throw new CodecError(`LZ4 frame decoded to ${part.length} bytes instead of ${frame.contentBytes}`);
    }
    parts.push(part);
    total += part.length;
    at = frame.end;
  } while (at < input.length);
  return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, total);
}
