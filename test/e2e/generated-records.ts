// Records that look like data and are the same in every run: record n is a pure function of n, so that what comes back is
// compared with what was meant, not with a copy in memory.
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';

/** Between key and value in a file of records. No key contains it; values may. */
export const KEY_DELIMITER = ':';

const KEYS = 997;
const POOL_BYTES = 1 << 20;

/** Multiply and xorshift: a fixed pseudo-random number of 32 bits for each n. */
function mixed(n: number): number {
  let x = Math.imul(n ^ 0x9e37_79b9, 0x85eb_ca6b);
  x ^= x >>> 13;
  x = Math.imul(x, 0xc2b2_ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Text of pseudo-random words, of which values are pieces: it compresses about as well as logs do. */
const pool = ((): string => {
  const words: string[] = [];
  for (let length = 0, n = 0; length < POOL_BYTES; n++) {
    const word = mixed(mixed(n) % 4096).toString(36);
    words.push(word);
    length += word.length + 1;
  }
  return words.join(' ').slice(0, POOL_BYTES);
})();

export function keyOf(n: number): string {
  return `key-${mixed(n) % KEYS}`;
}

/** Begins with n, by which a record is recognized; 8 to some 1000 bytes. */
export function valueOf(n: number): string {
  const length = mixed(n + 0x5bd1_e995) % 1000;
  const at = mixed(n + 0x1234_5678) % (POOL_BYTES - length);
  return `${n}${KEY_DELIMITER} ${pool.slice(at, at + length)}`;
}

/** Writes records 0, 1, 2, … as lines of key, delimiter, value until the file has at least `bytes`. Returns how many. */
export async function writeRecords(path: string, bytes: number): Promise<number> {
  const file = createWriteStream(path);
  let written = 0;
  let n = 0;
  while (written < bytes) {
    const lines: string[] = [];
    for (let size = 0; size < 1 << 20 && written + size < bytes; n++) {
      const line = `${keyOf(n)}${KEY_DELIMITER}${valueOf(n)}\n`;
      lines.push(line);
      size += line.length;
    }
    const chunk = lines.join('');
    written += chunk.length;
    if (!file.write(chunk)) await once(file, 'drain');
  }
  file.end();
  await once(file, 'close');
  return n;
}
