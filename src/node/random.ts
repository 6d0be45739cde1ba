// Real randomness. The keys serve the simulator; here every draw is unpredictable whoever asks.
import { randomBytes, randomInt } from 'node:crypto';
import { assert } from '../base/assert.ts';
import type { Random } from '../env/random.ts';

/** `crypto.randomInt` takes ranges below 2^48. */
const MAX_BOUND = 2 ** 48 - 1;

export function createRandom(): Random {
  return {
    uint32: () => randomInt(2 ** 32),
    below: (key, bound) => {
      assert(Number.isSafeInteger(bound) && bound > 0 && bound <= MAX_BOUND, () => `${key}: no draw below ${bound}`);
      return randomInt(bound);
    },
    bytes: (_key, count) => randomBytes(count),
  };
}
