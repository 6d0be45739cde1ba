// gzip, from Node's zlib.
import { gunzipSync, gzipSync } from 'node:zlib';
import { decoding, tooLarge } from './error.ts';

export function gzip(input: Buffer): Buffer {
  return gzipSync(input);
}

/** All members of a gzip stream. CodecError if damaged or longer than `maxBytes`. */
export function gunzip(input: Buffer, maxBytes: number): Buffer {
  return decoding('gzip', () => {
    try {
      return gunzipSync(input, { maxOutputLength: Math.max(1, maxBytes) });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge('gzip', maxBytes);
      throw error;
    }
  });
}
