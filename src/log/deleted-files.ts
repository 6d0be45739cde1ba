// Files that were taken out of a log and wait for file.delete.delay.ms under the name `<file>.deleted` (Kafka's suffix): who is
// in the middle of reading one is not disturbed, and an operator has a moment to get it back. What waits when the log is
// closed goes then; what a crash leaves goes when the folder is listed next.
import type { Ms } from '../base/ids.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { Disk } from '../env/disk.ts';
import { parentOf } from '../env/disk.ts';
import { isEnvError } from '../env/error.ts';
import type { Logger } from '../env/logger.ts';

export const DELETED_SUFFIX = '.deleted';

interface Waiting {
  readonly paths: readonly string[];
  readonly timer: Timer;
}

export class DeletedFiles {
  readonly #deps: { readonly disk: Disk; readonly clock: Clock; readonly logger: Logger };
  readonly #waiting = new Set<Waiting>();

  constructor(deps: { readonly disk: Disk; readonly clock: Clock; readonly logger: Logger }) {
    this.#deps = deps;
  }

  /**
   * Renames the files, in this order, and removes them `delayMs` later. Those that are not there are passed over. The new
   * names are durable once the directory is synced. EnvError.
   */
  async take(paths: readonly string[], delayMs: Ms): Promise<void> {
    const { disk, clock } = this.#deps;
    const renamed: string[] = [];
    for (const path of paths) {
      try {
        await disk.rename(path, path + DELETED_SUFFIX);
        renamed.push(path + DELETED_SUFFIX);
      } catch (error) {
        if (!isEnvError(error, 'NOT_FOUND')) throw error;
      }
    }
    if (renamed.length === 0) return;
    const waiting: Waiting = {
      paths: renamed,
      timer: clock.schedule(delayMs, () => {
        if (this.#waiting.delete(waiting)) void this.#remove(waiting);
      }),
    };
    this.#waiting.add(waiting);
  }

  /** Removes what waits, without waiting longer, durably: after a clean stop nobody lists the folder. */
  async removeNow(): Promise<void> {
    const all = this.#takeAll();
    for (const waiting of all) await this.#remove(waiting);
    const some = all.flatMap(({ paths }) => paths)[0];
    if (some !== undefined) await this.#deps.disk.syncDirectory(parentOf(some));
  }

  /** What waits stays: the folder is going, or its disk failed. */
  forget(): void {
    this.#takeAll();
  }

  #takeAll(): Waiting[] {
    const all = [...this.#waiting];
    this.#waiting.clear();
    for (const { timer } of all) timer.cancel();
    return all;
  }

  /** A file that stays takes room, and does no harm else: it goes when the folder is listed next. */
  async #remove({ paths }: Waiting): Promise<void> {
    for (const path of paths) {
      try {
        await this.#deps.disk.remove(path);
      } catch (error) {
        if (!isEnvError(error)) throw error;
        this.#deps.logger.warn('deleted-file-not-removed', { path, reason: error.message });
        return;
      }
    }
  }
}
