// How scenarios are drawn from a seed (safety.md 8.5, 8.7), for the core and for whole clusters alike.
import { KeyedRandom } from '../base/keyed-random.ts';

/** Draws by name, so that a new parameter does not change the others. */
export class SwarmDraw {
  readonly #random: KeyedRandom;

  constructor(seed: number) {
    this.#random = new KeyedRandom(seed);
  }

  chance(name: string, probability: number): boolean {
    return this.#random.chance(name, probability);
  }

  between(name: string, low: number, high: number): number {
    return low + this.#random.below(name, high - low + 1);
  }

  /** Small values as often as large ones. */
  spread(name: string, low: number, high: number): number {
    const share = this.#random.below(name, 1_000_001) / 1_000_000;
    return Math.round(low * (high / low) ** share);
  }

  pick<T>(name: string, items: readonly T[]): T {
    return items[this.#random.below(name, items.length)] as T;
  }

  /** 0 with probability 1 - `probability`, so that many seeds lack the fault altogether. */
  maybe(name: string, probability: number, high: number): number {
    const on = this.chance(`${name}?`, probability);
    const value = this.between(name, 1, high);
    return on ? value : 0;
  }
}
