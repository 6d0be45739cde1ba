// Real randomness. The keys serve the simulator; here every draw is unpredictable whoever asks.
import { randomBytes, randomInt } from 'node:crypto';
import { assert } from '../base/assert.ts';
import type { Random } from '../env/random.ts';

/** `crypto.randomInt` takes ranges below 2^48. */
const MAX_BOUND = 2 ** 48 - 1;

/** Asking for many at once costs little more than asking for a few, which is several microseconds. */
const POOL_BYTES = 4096;
/** More than this is asked for by itself. */
const MAX_POOLED_BYTES = 64;

export function createRandom(): Random {
  let pool = Buffer.alloc(0);
  let used = 0;
  /** Each byte of the pool is given out once. */
  const take = (count: number): Buffer => {
    if (used + count > pool.length) {
      pool = randomBytes(POOL_BYTES);
      used = 0;
    }
    used += count;
    return Buffer.from(pool.subarray(used - count, used));
  };
  return {
    uint32: () => randomInt(2 ** 32),
    below: (key, bound) => {
      assert(Number.isSafeInteger(bound) && bound > 0 && bound <= MAX_BOUND, () => `${key}: no draw below ${bound}`);
      return randomInt(bound);
    },
    bytes: (_key, count) => (count <= MAX_POOLED_BYTES ? take(count) : randomBytes(count)),
  };
}
