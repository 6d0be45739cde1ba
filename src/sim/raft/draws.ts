// One stream of keyed draws whose key is hashed once (safety.md 8.5): the same numbers for the same scenario whatever
// other streams are added or removed, without a map lookup per draw.
import { hash32, keyedUint32 } from '../../base/keyed-random.ts';

export class DrawStream {
  readonly #seed: number;
  readonly #key: number;
  #count = 0;

  constructor(seed: number, key: string) {
    this.#seed = seed;
    this.#key = hash32(key);
  }

  /** An integer in [0, bound). */
  below(bound: number): number {
    return Math.floor((keyedUint32(this.#seed, this.#key, this.#count++) / 0x1_0000_0000) * bound);
  }

  /** True in `permille` of a thousand draws; draws even for 0. */
  chance(permille: number): boolean {
    return this.below(1000) < permille;
  }
}
