// A record's key as 128 bits: SipHash-2-4 with 128-bit output (Aumasson, Bernstein 2012), in 32-bit halves. Two keys that hash alike
// would cost a record, so the hash is a keyed one with a secret of the run: nobody can look for a pair that collides, as is possible
// for murmur and its kind, and n keys collide by chance with n²/2¹²⁹: a billion keys, 10⁻²¹.
import { assert } from '../../base/assert.ts';

export const HASH_KEY_BYTES = 16;

export class KeyHash {
  readonly #secret: Int32Array;
  /** The four words of the last hash, lowest first. */
  h0 = 0;
  h1 = 0;
  h2 = 0;
  h3 = 0;

  /** `secret`: 16 bytes that nobody else knows, new ones for each run. */
  constructor(secret: Uint8Array) {
    assert(secret.length === HASH_KEY_BYTES, () => `a hash takes ${HASH_KEY_BYTES} secret bytes, not ${secret.length}`);
    this.#secret = Int32Array.from({ length: 4 }, (_, i) => wordAt(secret, i * 4));
  }

  /** Hashes bytes [start, end) into h0 .. h3. */
  hash(bytes: Uint8Array, start: number, end: number): void {
    const [k0, k1, k2, k3] = this.#secret as unknown as [number, number, number, number];
    // v0 .. v3, low and high half each; the first with 0xee is what makes it the 128-bit variant.
    let [a, b, c, d] = [0x70736575 ^ k0, 0x736f6d65 ^ k1, 0x6e646f6d ^ k2 ^ 0xee, 0x646f7261 ^ k3];
    let [e, f, g, h] = [0x6e657261 ^ k0, 0x6c796765 ^ k1, 0x79746573 ^ k2, 0x74656462 ^ k3];
    const words = ((end - start) >>> 3) + 1;
    for (let step = 0; step < words + 2; step++) {
      let low = 0;
      let high = 0;
      let rounds = 2;
      if (step < words - 1) {
        low = wordAt(bytes, start + step * 8);
        high = wordAt(bytes, start + step * 8 + 4);
      } else if (step === words - 1) {
        const at = start + step * 8;
        const left = end - at;
        for (let i = 0; i < left; i++) {
          if (i < 4) low |= (bytes[at + i] as number) << (i * 8);
          else high |= (bytes[at + i] as number) << ((i - 4) * 8);
        }
        high |= (end - start) << 24;
      } else {
        rounds = 4;
        if (step === words) e ^= 0xee;
        else {
          this.h0 = a ^ c ^ e ^ g;
          this.h1 = b ^ d ^ f ^ h;
          c ^= 0xdd;
        }
      }
      g ^= low;
      h ^= high;
      for (; rounds > 0; rounds--) {
        let sum = (a + c) | 0;
        b = (b + d + (((a & c) | ((a | c) & ~sum)) >>> 31)) | 0;
        let turned = (c << 13) | (d >>> 19);
        d = ((d << 13) | (c >>> 19)) ^ b;
        c = turned ^ sum;
        a = b;
        b = sum;
        sum = (e + g) | 0;
        f = (f + h + (((e & g) | ((e | g) & ~sum)) >>> 31)) | 0;
        e = sum;
        turned = (g << 16) | (h >>> 16);
        h = ((h << 16) | (g >>> 16)) ^ f;
        g = turned ^ e;
        sum = (a + g) | 0;
        b = (b + h + (((a & g) | ((a | g) & ~sum)) >>> 31)) | 0;
        a = sum;
        turned = (g << 21) | (h >>> 11);
        h = ((h << 21) | (g >>> 11)) ^ b;
        g = turned ^ a;
        sum = (e + c) | 0;
        f = (f + d + (((e & c) | ((e | c) & ~sum)) >>> 31)) | 0;
        turned = (c << 17) | (d >>> 15);
        d = ((d << 17) | (c >>> 15)) ^ f;
        c = turned ^ sum;
        e = f;
        f = sum;
      }
      a ^= low;
      b ^= high;
    }
    this.h2 = a ^ c ^ e ^ g;
    this.h3 = b ^ d ^ f ^ h;
  }
}

/** Little-endian. */
function wordAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}
