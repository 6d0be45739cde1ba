// Tells an operator how far the logs of a directory are checked after an unclean stop (D-10.1): a line a second at most, and
// one at the end.
import type { Ms } from '../base/ids.ts';
import type { Clock } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';

const LINE_INTERVAL_MS = 1000;

export class RecoveryProgress {
  readonly #deps: { readonly clock: Clock; readonly logger: Logger };
  readonly #directory: string;
  readonly #total: number;
  #done = 0;
  #failed = 0;
  #bytes = 0;
  #startedAt: Ms | undefined;
  #lastLineAt = 0;

  /** `total`: logs that have to be checked. */
  constructor(deps: { readonly clock: Clock; readonly logger: Logger }, directory: string, total: number) {
    this.#deps = deps;
    this.#directory = directory;
    this.#total = total;
  }

  /** The first one is being checked. */
  begin(): void {
    if (this.#startedAt !== undefined) return;
    this.#startedAt = this.#deps.clock.now();
    this.#lastLineAt = this.#startedAt;
  }

  /** One is in order now, and has so many bytes; undefined: it could not be opened, or went unopened. */
  done(bytes: number | undefined): void {
    if (this.#done === this.#total) return;
    this.begin();
    this.#done += 1;
    if (bytes === undefined) this.#failed += 1;
    else this.#bytes += bytes;
    const { clock, logger } = this.#deps;
    const now = clock.now();
    const [directory, done, total] = [this.#directory, this.#done, this.#total];
    if (done === total) {
      const ms = Math.round(now - (this.#startedAt as Ms));
      logger.info('log-recovery-finished', { directory, total, notOpened: this.#failed, bytes: this.#bytes, ms });
    } else if (now - this.#lastLineAt >= LINE_INTERVAL_MS) {
      this.#lastLineAt = now;
      logger.info('log-recovery-progress', { directory, done, total });
    }
  }
}
