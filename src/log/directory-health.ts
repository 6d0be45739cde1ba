// Whether a log directory can be used. The first failure of its disk takes the whole directory offline (D-10.5): what one file met,
// the others will meet, and one line tells the operator. It stays so until the broker is started again.
import type { EnvError, EnvErrorCode } from '../env/error.ts';
import { isEnvError } from '../env/error.ts';

/** What a disk says when it fails: full, broken, read-only, gone. Damaged records are their partition's alone. */
const DISK_FAILURES: ReadonlySet<EnvErrorCode> = new Set(['IO', 'NO_SPACE', 'PERMISSION', 'NOT_FOUND']);

export function isDiskFailure(error: unknown): error is EnvError {
  return isEnvError(error) && DISK_FAILURES.has(error.code);
}

export class DirectoryHealth {
  #failure: EnvError | undefined;
  readonly #listeners: ((failure: EnvError) => void)[] = [];

  /** Why the directory is offline; undefined: it works. */
  get failure(): EnvError | undefined {
    return this.#failure;
  }

  /** Calls back when the directory goes offline, once; in the order of these calls. */
  whenFailed(listener: (failure: EnvError) => void): void {
    this.#listeners.push(listener);
  }

  /** Takes the directory offline: the first failure is the one that is told. */
  fail(error: EnvError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    for (const listener of this.#listeners) listener(error);
  }

  /** The EnvError that the directory is offline for. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Work on the disk: not begun if it is offline, and taking it offline if the disk fails. */
  async watch<T>(work: () => Promise<T>): Promise<T> {
    this.check();
    try {
      return await work();
    } catch (error) {
      if (isDiskFailure(error)) this.fail(error);
      throw error;
    }
  }
}

/** One entry of log.dirs that could not be opened at this start. */
export interface OfflineDirectory {
  readonly path: string;
  readonly failure: EnvError;
}
