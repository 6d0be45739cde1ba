// Keyed randomness (safety.md 8.5): each draw is hash(seed, key, counter of that key), so adding or removing
// one consumer does not reshuffle the draws of the others, and failing schedules shrink well.

/** FNV-1a over the UTF-16 code units, 32 bits. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** Murmur3's finalizer: spreads 32 bits. */
export function mix32(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Uniform 32 bits from (seed, key, counter). */
export function keyedUint32(seed: number, key: number, counter: number): number {
  return mix32(mix32(mix32(seed) ^ Math.imul(key, 0x9e3779b1)) + Math.imul(counter, 0x85ebca77));
}

/** One stream of draws per key, all from one seed. */
export class KeyedRandom {
  readonly seed: number;
  readonly #counters = new Map<string, { hash: number; count: number }>();

  constructor(seed: number) {
    this.seed = seed;
  }

  /** 0 .. 2^32-1. */
  uint32(key: string): number {
    let entry = this.#counters.get(key);
    if (entry === undefined) {
      entry = { hash: hash32(key), count: 0 };
      this.#counters.set(key, entry);
    }
    return keyedUint32(this.seed, entry.hash, entry.count++);
  }

  /** An integer in [0, bound), bound >= 1. */
  below(key: string, bound: number): number {
    return Math.floor((this.uint32(key) / 0x1_0000_0000) * bound);
  }

  /** True with the given probability, 0 .. 1. Draws even for 0 and 1, so that changing it shifts nothing else. */
  chance(key: string, probability: number): boolean {
    return this.uint32(key) / 0x1_0000_0000 < probability;
  }

  bytes(key: string, count: number): Buffer {
    const out = Buffer.alloc(count);
    for (let i = 0; i < count; i++) out[i] = this.uint32(key) & 0xff;
    return out;
  }
}
