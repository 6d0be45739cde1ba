// The note of the present life of a broker in one log dir, and that of the last one (life-note.ts). Each change is durable before what
// it allows begins; a note that cannot be written is a failed disk, which takes the directory offline.
import type { Checkpoints } from './checkpoints.ts';
import type { LifeNote } from './life-note.ts';
import { encodeLifeNote } from './life-note.ts';

export class LifeNotes {
  /** Of the last life that was registered, as this start found it; undefined: it vouches for nothing. */
  readonly last: LifeNote | undefined;
  readonly #checkpoints: Checkpoints;
  readonly #onDisk: (work: () => Promise<void>) => Promise<void>;
  /** Of the present life, once it has begun. */
  #note: LifeNote | undefined;
  /** A log here acknowledges what is not synced, or may from now on. */
  #asyncUsed = false;
  /** That, on its way to the note or in it. */
  #asyncNoted: Promise<void> | undefined;
  #renounced = false;
  /** What the last life left may not be durable yet. */
  #inherits = false;
  /** One write after the other, each of what is to be noted then. */
  #tail: Promise<void> = Promise.resolve();

  /** `onDisk` is to watch over each write. */
  constructor(
    checkpoints: Checkpoints,
    last: LifeNote | undefined,
    onDisk: (work: () => Promise<void>) => Promise<void>,
  ) {
    this.#checkpoints = checkpoints;
    this.last = last;
    this.#onDisk = onDisk;
  }

  /**
   * The broker is registered. `asyncUsed`: what the last life acknowledged may not be durable yet, until {@link recovered}. Durable when
   * it resolves. EnvError.
   */
  begin(life: LifeNote): Promise<void> {
    this.#inherits = life.asyncUsed;
    if (!this.#renounced) this.#note = { ...life, asyncUsed: life.asyncUsed || this.#asyncUsed };
    return this.#put();
  }

  /** Everything that is in the logs is durable: what matters from now on is what this life does. EnvError. */
  recovered(): Promise<void> {
    this.#inherits = false;
    return this.#setAsyncUsed(this.#asyncUsed);
  }

  /** Whether logs that were not opened in this life may have what is not durable: a clean stop would not make it so. */
  get inheritsUnsynced(): boolean {
    return this.#inherits;
  }

  /** Every log is closed, and all that was acknowledged is durable. EnvError. */
  stopped(): Promise<void> {
    return this.#setAsyncUsed(false);
  }

  async #setAsyncUsed(asyncUsed: boolean): Promise<void> {
    if (this.#note === undefined || this.#note.asyncUsed === asyncUsed) return;
    this.#note = { ...this.#note, asyncUsed };
    await this.#put();
  }

  /** To be awaited before the first append that is acknowledged without a sync. Durable when it resolves. EnvError. */
  asyncBegins(): Promise<void> {
    this.#asyncUsed = true;
    if (this.#note === undefined) return Promise.resolve(); // it will say so when it begins
    if (this.#note.asyncUsed && this.#asyncNoted !== undefined) return this.#asyncNoted;
    this.#note = { ...this.#note, asyncUsed: true };
    this.#asyncNoted = this.#put();
    return this.#asyncNoted;
  }

  /** Whether this life has acknowledged here what is not synced, or may have. */
  get asyncUsed(): boolean {
    return this.#asyncUsed;
  }

  /** Something that was acknowledged may be gone, whatever was noted: this life vouches for nothing. EnvError. */
  renounce(): Promise<void> {
    this.#renounced = true;
    this.#note = undefined;
    return this.#put();
  }

  #put(): Promise<void> {
    const put = this.#tail.then(() =>
      this.#onDisk(() => {
        const note = this.#note;
        return this.#checkpoints.setLife(note === undefined ? undefined : encodeLifeNote(note));
      }),
    );
    this.#tail = put.catch(() => undefined); // told to who waits for it
    return put;
  }
}
