// Work of which only so much may go on at once; the rest waits in line.
import { assert } from '../base/assert.ts';

export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** At least one. */
  constructor(count: number) {
    assert(count >= 1, 'work needs a slot to be done in');
    this.#free = count;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
