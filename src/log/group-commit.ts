// One operation at a time, shared by all who ask while it runs: a request that arrives during a run waits for the next
// one, which begins after the request and so covers it. Whoever needs the same quiet takes a turn with `exclusively`.

export class GroupCommit {
  readonly #run: () => Promise<void>;
  #tail: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(run: () => Promise<void>) {
    this.#run = run;
  }

  /** Resolves or rejects with a run that began at or after this call. */
  request(): Promise<void> {
    if (this.#tail === undefined) return this.#queue(this.#run);
    if (this.#next === undefined) {
      this.#next = this.#queue(() => {
        this.#next = undefined;
        return this.#run();
      });
    }
    return this.#next;
  }

  /** Runs `operation` when all that was asked for before is done, and nothing else meanwhile. */
  exclusively<T>(operation: () => Promise<T>): Promise<T> {
    // Requests made from now on may not join a run that is queued before this operation.
    this.#next = undefined;
    return this.#queue(operation);
  }

  #queue<T>(operation: () => Promise<T>): Promise<T> {
    const before = this.#tail;
    const result = before === undefined ? operation() : before.then(operation);
    // Never rejects: the failure of one run is its own callers' to handle, and the next one finds the log fenced.
    const tail: Promise<void> = result.then(
      () => this.#finished(tail),
      () => this.#finished(tail),
    );
    this.#tail = tail;
    return result;
  }

  #finished(tail: Promise<void>): void {
    if (this.#tail === tail) this.#tail = undefined;
  }
}
