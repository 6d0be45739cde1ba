// A partition's place on this broker: opening, serving, failed or going. Committed states are applied one after the other,
// while the metadata goes on; whoever wants to serve awaits `ready`.
import type { TopicConfig } from '../config/topic-config.ts';
import type { EnvError } from '../env/error.ts';
import { isEnvError } from '../env/error.ts';
import type { PartitionState } from '../metadata/image.ts';
import type { Partition } from './partition.ts';

export class HostedPartition {
  readonly #open: () => Promise<Partition>;
  readonly #looked: (error: EnvError | undefined) => void;
  #partition: Partition | undefined;
  #failure: EnvError | undefined;
  #tail: Promise<void> = Promise.resolve();
  #pending = 0;
  #latest: PartitionState | undefined;

  /** `open` opens the log when the first state is applied; `looked` is told when it is open, or why it could not be. */
  constructor(open: () => Promise<Partition>, looked: (error: EnvError | undefined) => void) {
    this.#open = open;
    this.#looked = looked;
  }

  /** The partition once its log is open; undefined before, and if it cannot be opened. */
  get partition(): Partition | undefined {
    return this.#partition;
  }

  /** Whether the log could not be opened, or its log dir failed. */
  get isOffline(): boolean {
    return this.#failure !== undefined;
  }

  /** Why it is offline; undefined: it is not. */
  get failure(): EnvError | undefined {
    return this.#failure ?? this.#partition?.failure;
  }

  /** Resolves when every state given so far is applied; undefined if that is so. */
  get ready(): Promise<void> | undefined {
    return this.#pending === 0 ? undefined : this.#tail;
  }

  /** Its log dir is offline: so is the partition, whether it is open or not yet (D-10.5). */
  fail(error: EnvError): void {
    this.#failure ??= error;
    this.#partition?.goOffline(error);
  }

  /** The same object once more costs nothing: a topic's partitions are looked at whenever one of them changes. */
  applyState(state: PartitionState): void {
    if (state === this.#latest) return;
    this.#latest = state;
    this.#enqueue(async () => {
      if (this.#failure !== undefined) return;
      if (this.#partition === undefined) {
        try {
          this.#partition = await this.#open();
        } catch (error) {
          if (!isEnvError(error)) throw error;
          this.#failure ??= error;
          this.#looked(error);
          return;
        }
        this.#looked(undefined);
      }
      if (this.#failure !== undefined) this.#partition.goOffline(this.#failure);
      await this.#partition.applyState(state);
    });
  }

  /** In force for what comes next, from the states given after this on, once `allowed` resolves. */
  applyConfig(config: TopicConfig, allowed: () => Promise<void> = () => Promise.resolve()): void {
    this.#enqueue(async () => {
      try {
        await allowed();
      } catch (error) {
        if (!isEnvError(error)) throw error;
        return; // its log dir failed, and the partition with it
      }
      this.#partition?.updateConfig(config);
    });
  }

  /** Stops serving at once; then, after what is under way, runs `dispose` (deletion, say). */
  retire(dispose: () => Promise<void>): Promise<void> {
    void this.#partition?.retire();
    this.#enqueue(async () => {
      const partition = this.#partition;
      this.#partition = undefined;
      await partition?.retire();
      await dispose();
    });
    return this.#tail;
  }

  #enqueue(task: () => Promise<void>): void {
    this.#pending++;
    this.#tail = this.#tail.then(task).finally(() => {
      this.#pending--;
    });
  }
}
