// The memory that the loaded indexes of a broker's segments take. Above its budget, those used least recently are given
// back, to be read from their files when they are needed again.

export interface IndexHolder {
  /** Of the loaded indexes; 0 if there are none. */
  readonly indexBytes: number;
  /** Is asked to drop them, now or soon. It may keep those that are still growing. */
  giveBackIndexes(): void;
}

/** What the objects around the bytes take, about. */
const HOLDER_BYTES = 512;

/** A holder that keeps what it has is not asked again before others were; so many are asked at a time. */
const MAX_ASKED = 8;

export class IndexMemory {
  readonly #budget: number;
  /** The least recently used first. */
  readonly #held = new Map<IndexHolder, number>();
  #newest: IndexHolder | undefined;
  #bytes = 0;

  /** `budget` in bytes. */
  constructor(budget: number) {
    this.#budget = budget;
  }

  /** As far as it is known: growth counts from the next use on. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The holder's indexes are loaded, and in use now. */
  used(holder: IndexHolder): void {
    if (holder === this.#newest) return;
    this.#newest = holder;
    this.#measure(holder);
    if (this.#bytes <= this.#budget) return;
    for (const oldest of [...take(this.#held.keys(), MAX_ASKED)]) {
      if (this.#bytes <= this.#budget || oldest === holder) return;
      this.#measure(oldest);
      oldest.giveBackIndexes();
    }
  }

  /** The holder has dropped them. */
  dropped(holder: IndexHolder): void {
    this.#bytes -= this.#held.get(holder) ?? 0;
    this.#held.delete(holder);
    if (holder === this.#newest) this.#newest = undefined;
  }

  /** Puts it last, with the size that it has now. */
  #measure(holder: IndexHolder): void {
    const bytes = HOLDER_BYTES + holder.indexBytes;
    this.#bytes += bytes - (this.#held.get(holder) ?? 0);
    this.#held.delete(holder);
    this.#held.set(holder, bytes);
  }
}

function* take<T>(items: Iterable<T>, count: number): Generator<T> {
  let left = count;
  for (const item of items) {
    if (left-- === 0) return;
    yield item;
  }
}
