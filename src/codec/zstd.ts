// zstd, from Node's zlib where it has it (22.15 and later), else from a WebAssembly build, which has to be loaded before
// the first use. Frames are measured first, so that a bomb is refused before memory is taken for it.
import * as zlib from 'node:zlib';
import { assert } from '../base/assert.ts';
import { asBuffer } from '../base/bytes.ts';
import { CodecError, decoding, tooLarge } from './error.ts';
import { lazily } from './native.ts';
import type { ZstdFrame } from './zstd-frame.ts';
import { measureZstdFrame } from './zstd-frame.ts';

interface ZstdEngine {
  compress(input: Buffer): Buffer;
  /** Decodes one frame of at most `maxContentBytes`; throws anything if it is damaged or longer. */
  decompress(frame: Buffer, maxContentBytes: number): Buffer;
}

const wasm = lazily((require) => require('@bokuweb/zstd-wasm') as typeof import('@bokuweb/zstd-wasm'));

let engine: ZstdEngine | undefined = zlibEngine();
let loading: Promise<void> | undefined;

/** Loads zstd if this Node does not bring it. Any number of calls. */
export function loadZstd(): Promise<void> {
  if (engine !== undefined) return Promise.resolve();
  loading ??= wasm()
    .init()
    .then(() => {
      engine = wasmEngine();
    });
  return loading;
}

export function compressZstd(input: Buffer): Buffer {
  return loaded().compress(input);
}

/** All frames. CodecError if damaged or longer than `maxBytes`. */
export function decompressZstd(input: Buffer, maxBytes: number): Buffer {
  const parts: Buffer[] = [];
  let total = 0;
  let at = 0;
  do {
    const frame = measureZstdFrame(input, at);
    if (!frame.skippable) {
      const part = decodeFrame(input.subarray(at, frame.end), frame, maxBytes - total);
      parts.push(part);
      total += part.length;
    }
    at = frame.end;
  } while (at < input.length);
  return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, total);
}

/** Where the size is not declared, the frame may turn out to fit although its blocks could hold more. */
function decodeFrame(bytes: Buffer, frame: ZstdFrame, limit: number): Buffer {
  const most = frame.maxContentBytes;
  if (most > limit && frame.declaresSize) throw tooLarge('zstd', limit);
  try {
    const part = decoding('zstd', () => loaded().decompress(bytes, Math.min(most, limit)));
    if (part.length > limit) throw tooLarge('zstd', limit);
    return part;
  } catch (error) {
    if (most <= limit) throw error;
    throw new CodecError(`zstd data is damaged or decompresses to more than ${limit} bytes`, error);
  }
}

function loaded(): ZstdEngine {
  assert(engine !== undefined, 'loadCodecs() has to be awaited before zstd is used');
  return engine;
}

interface ZlibWithZstd {
  zstdCompressSync(input: Buffer): Buffer;
  zstdDecompressSync(input: Buffer, options: { maxOutputLength: number }): Buffer;
}

function zlibEngine(): ZstdEngine | undefined {
  if (!('zstdDecompressSync' in zlib)) return undefined;
  const zstd = zlib as unknown as ZlibWithZstd;
  return {
    compress: (input) => zstd.zstdCompressSync(input),
    decompress: (frame, maxContentBytes) =>
      zstd.zstdDecompressSync(frame, { maxOutputLength: Math.max(1, maxContentBytes) }),
  };
}

function wasmEngine(): ZstdEngine {
  const zstd = wasm();
  return {
    compress: (input) => asBuffer(zstd.compress(input)),
    decompress: (frame, maxContentBytes) =>
      // The package takes the declared size where there is one (measured: no lie), else this.
      asBuffer(zstd.decompress(frame, { defaultHeapSize: maxContentBytes })),
  };
}
