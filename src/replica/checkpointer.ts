// Notes from time to time how far the logs are durable, so that little must be checked after a crash (D-10.1).
import type { Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { Clock, Timer } from '../env/clock.ts';
import { isEnvError } from '../env/error.ts';
import type { LogDirs } from './log-dirs.ts';

/** Kafka's log.flush.offset.checkpoint.interval.ms is 60 s; less to check after a crash, and rot told from a torn end, are worth a small write. */
const CHECKPOINT_INTERVAL_MS = 2000;

export interface CheckpointerDeps {
  readonly clock: Clock;
  readonly logDirs: LogDirs;
  /** Undefined: not open. */
  highWatermarkOf(topicId: Uuid, partition: number): Offset | undefined;
}

export class Checkpointer {
  readonly #deps: CheckpointerDeps;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(deps: CheckpointerDeps) {
    this.#deps = deps;
  }

  start(): void {
    if (!this.#stopped) this.#timer = this.#deps.clock.schedule(CHECKPOINT_INTERVAL_MS, () => void this.#checkpoint());
  }

  /** One that is under way is finished by its log dir. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #checkpoint(): Promise<void> {
    for (const directory of this.#deps.logDirs.online) {
      try {
        await directory.checkpoint((topicId, partition) => this.#deps.highWatermarkOf(topicId, partition));
      } catch (error) {
        if (!isEnvError(error)) throw error;
        // Whatever it says: without checkpoints nothing in the directory can be vouched for.
        if (!this.#stopped) directory.health.fail(error);
      }
      if (this.#stopped) return;
    }
    this.start();
  }
}
