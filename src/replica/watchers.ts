// Those who want to hear that something of a partition has moved.

export class Watchers {
  readonly #callbacks = new Set<() => void>();

  /** Called back at each `wake` until the returned function is called. */
  add(callback: () => void): () => void {
    this.#callbacks.add(callback);
    return () => {
      this.#callbacks.delete(callback);
    };
  }

  wake(): void {
    if (this.#callbacks.size > 0) for (const callback of [...this.#callbacks]) callback();
  }
}
