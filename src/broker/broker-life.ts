// The present life of this broker as its log dirs note it for the next start (C-2.4): once it is registered, before it opens a log; again
// when what the last life left is durable. Notes that cannot be written are those of a log dir that fails, which others deal with.
import type { Offset } from '../base/ids.ts';
import { isEnvError } from '../env/error.ts';
import type { OfflineDirectory } from '../log/directory-health.ts';
import type { LogDirectory } from '../log/log-directory.ts';
import type { LastLife } from './last-life.ts';
import { lastLifeOf } from './last-life.ts';

export class BrokerLife {
  readonly last: LastLife;
  readonly #directories: readonly LogDirectory[];
  readonly #bootId: string | undefined;

  constructor(directories: readonly LogDirectory[], offline: readonly OfflineDirectory[], bootId: string | undefined) {
    this.#directories = directories;
    this.#bootId = bootId;
    this.last = lastLifeOf(directories, offline, bootId);
  }

  /**
   * This life has a broker epoch. Durable when it resolves, and before anything is done that could be acknowledged. Until the logs are
   * recovered, they may be in the page cache as the last life left them.
   */
  async begin(brokerEpoch: Offset): Promise<void> {
    const online = this.#directories.filter(({ health }) => health.failure === undefined);
    const logDirs = online.map(({ meta }) => meta.directoryId).sort();
    const inherits = this.last.end === 'crash';
    await this.#inEach(online, ({ life, cleanShutdownEpoch }) => {
      // A clean stop of a start that was not registered opened no log.
      const isSynced = cleanShutdownEpoch !== undefined && cleanShutdownEpoch >= 0;
      const asyncUsed = inherits && !isSynced && life.last?.asyncUsed === true;
      return life.begin({ brokerEpoch, bootId: this.#bootId, asyncUsed, logDirs });
    });
  }

  /** Every log that is served is open, and durable as it was found (D-10.1). */
  async recovered(): Promise<void> {
    await this.#inEach(this.#directories, ({ life }) => life.recovered());
  }

  /** What the page cache had of that log dir may be gone: with it this life vouches for nothing, as all dirs must agree. */
  async directoryFailed(failed: LogDirectory): Promise<void> {
    if (failed.life.asyncUsed) await this.#inEach(this.#directories, ({ life }) => life.renounce());
  }

  async #inEach(
    directories: readonly LogDirectory[],
    write: (directory: LogDirectory) => Promise<void>,
  ): Promise<void> {
    const writes = directories.map(async (directory) => {
      if (directory.health.failure !== undefined) return;
      try {
        await write(directory);
      } catch (error) {
        if (!isEnvError(error)) throw error;
      }
    });
    await Promise.all(writes);
  }
}
