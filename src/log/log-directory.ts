// One entry of log.dirs: identity, lock, checkpoints, the marker of a clean stop, and the partitions' folders.
// The lock is that of the Store in `checkpoints`. Whoever opens a directory closes it, cleanly or not; only a clean close
// with every log durable leaves the marker (C-2.4).
import { assert } from '../base/assert.ts';
import type { Epoch, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import { sleep } from '../env/clock.ts';
import type { DiskSpace } from '../env/disk.ts';
import { EnvError, isEnvError } from '../env/error.ts';
import type { OpenStore } from '../env/store.ts';
import type { PartitionCheckpoint, PartitionKey } from './checkpoints.ts';
import { Checkpoints, partitionKey } from './checkpoints.ts';
import { consumeCleanShutdown, writeCleanShutdown } from './clean-shutdown.ts';
import { DirectoryHealth, isDiskFailure } from './directory-health.ts';
import type { LifeNote } from './life-note.ts';
import { decodeLifeNote } from './life-note.ts';
import { LifeNotes } from './life-notes.ts';
import type { LogHooks } from './log-hooks.ts';
import { LogNotes } from './log-notes.ts';
import type { LogConfig, LogDeps } from './log-state.ts';
import { LogSummaries } from './log-summaries.ts';
import { encodeLogSummary, fits } from './log-summary.ts';
import type { PartitionFolder } from './partition-folder.ts';
import { folderName, renamedFolder } from './partition-folder.ts';
import { PartitionFolders } from './partition-folders.ts';
import { PartitionLog } from './partition-log.ts';
import { RecoveryProgress } from './recovery-progress.ts';
import { Slots } from './slots.ts';
import type { ExpectedOwner, MetaProperties } from './storage.ts';
import { lockDirectory, verifyMetaProperties } from './storage.ts';

export interface LogDirectoryDeps extends LogDeps {
  readonly openStore: OpenStore;
}

type HighWatermarkOf = (topicId: Uuid, partition: number) => Offset | undefined;

/** Logs that are looked at before others get their turn. */
const CHECKPOINTS_PER_TURN = 250;

interface OpenPartition {
  readonly folder: string;
  readonly key: PartitionKey;
  readonly log: PartitionLog;
}

export class LogDirectory {
  readonly path: string;
  readonly meta: MetaProperties;
  /** The broker epoch that the last incarnation left after a clean stop, -1 if it had none; undefined: unclean. */
  readonly cleanShutdownEpoch: Epoch | undefined;
  /** What the last life noted, and what this one does (C-2.4). */
  readonly life: LifeNotes;
  /** Whether it can be used: whatever fails on its disk takes it offline (D-10.5). */
  readonly health = new DirectoryHealth();
  readonly #deps: LogDeps;
  readonly #checkpoints: Checkpoints;
  #bootCounter: number;
  readonly #folders: PartitionFolders;
  readonly #summaries: LogSummaries;
  readonly #notes: LogNotes;
  /** For logs that are opened from their files. */
  readonly #slots: Slots;
  /** After an unclean stop. */
  readonly #progress: RecoveryProgress | undefined;
  readonly #open = new Map<string, OpenPartition>();
  #renames = 0;
  #closed = false;

  private constructor(
    deps: LogDeps,
    path: string,
    start: Pick<LogDirectory, 'meta' | 'bootCounter' | 'cleanShutdownEpoch'> & { lastLife: LifeNote | undefined },
    found: { checkpoints: Checkpoints; folders: PartitionFolders; summaries: LogSummaries },
  ) {
    this.#deps = {
      ...deps,
      logFailed: (folder, error) => {
        deps.logFailed?.(folder, error);
        if (isDiskFailure(error)) this.health.fail(error);
      },
    };
    this.path = path;
    this.meta = start.meta;
    this.#bootCounter = start.bootCounter;
    this.cleanShutdownEpoch = start.cleanShutdownEpoch;
    this.#checkpoints = found.checkpoints;
    this.life = new LifeNotes(found.checkpoints, start.lastLife, (work) => this.#onDisk(work));
    this.#folders = found.folders;
    this.#summaries = found.summaries;
    this.#notes = new LogNotes(found.checkpoints);
    this.#slots = new Slots(deps.shared.recoveryThreads);
    if (start.cleanShutdownEpoch === undefined) {
      this.#progress = new RecoveryProgress(deps, path, found.folders.all().length);
    }
    this.health.whenFailed((error) => {
      for (const { log } of this.#open.values()) log.fence(error);
      void this.#distrustPageCache();
    });
  }

  /**
   * Verifies that the directory is this node's, locks it, consumes the marker, removes what was to be deleted and lists
   * the partitions. StorageError with a sentence for the operator; EnvError if the disk fails.
   */
  static async open(deps: LogDirectoryDeps, path: string, expected: ExpectedOwner): Promise<LogDirectory> {
    const meta = await verifyMetaProperties(deps.disk, path, expected);
    const store = await lockDirectory(deps.openStore, path);
    try {
      const checkpoints = await Checkpoints.load(store);
      const lastBoot = await checkpoints.boot();
      const bootCounter = lastBoot + 1;
      await checkpoints.setBoot(bootCounter);
      const marker = await consumeCleanShutdown(deps, path, lastBoot);
      const summaries = new LogSummaries(checkpoints.takeSummaries(), marker?.bootCounter);
      const folders = await PartitionFolders.list(deps, path, (name) => summaries.topicIdOf(name));
      await checkpoints.finishRemovals(new Set(folders.keys()));
      // A later clean stop vouches only for the logs that were opened, and so checked, until then.
      if (marker === undefined) await checkpoints.markUnverified(folders.keys());
      const life = await checkpoints.life();
      const lastLife = life === undefined ? undefined : decodeLifeNote(life);
      const start = { meta, bootCounter, cleanShutdownEpoch: marker?.brokerEpoch, lastLife };
      return new LogDirectory(deps, path, start, { checkpoints, folders, summaries });
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** After an error it may hold less than it did: it vouches for nothing, if that can still be written. */
  async #distrustPageCache(): Promise<void> {
    try {
      if (this.life.asyncUsed) await this.#checkpoints.setLife(undefined);
    } catch (error) {
      if (!isEnvError(error)) throw error;
    }
  }

  /** Counts the starts of this directory, durably: 1 for the first (C-2.2a). */
  get bootCounter(): number {
    return this.#bootCounter;
  }

  /**
   * At least `counter` from now on, durably. All directories of a broker count alike, so that the count goes on whichever of them is
   * taken away.
   */
  async raiseBootCounter(counter: number): Promise<void> {
    if (counter <= this.#bootCounter) return;
    await this.#checkpoints.setBoot(counter);
    this.#bootCounter = counter;
  }

  /** Of its file system. EnvError. */
  space(): Promise<DiskSpace> {
    return this.#deps.disk.space(this.path);
  }

  /** The partitions that have a folder here, open or not. */
  partitions(): PartitionFolder[] {
    return this.#folders.all();
  }

  /** Whether the folder of this partition is here, open or not. */
  holds(topic: string, topicId: Uuid, partition: number): boolean {
    return this.#folders.get(folderName(topic, partition))?.topicId === topicId;
  }

  /** What is remembered of a partition; its high watermark is a hint, to be bounded by the log (D-6.7). */
  checkpointOf(topicId: Uuid, partition: number): PartitionCheckpoint | undefined {
    return this.#checkpoints.get(partitionKey(topicId, partition));
  }

  /**
   * Opens the log of a partition, creating its folder if there is none. EnvError CORRUPT if acknowledged records are gone
   * or damaged, EXISTS if the folder is another topic's of the same name: move it aside first (D-0.5). See {@link isIncomplete}.
   */
  openLog(topic: string, topicId: Uuid, partition: number, config: LogConfig): Promise<PartitionLog> {
    return this.#onDisk(() => this.#openLog(topic, topicId, partition, config));
  }

  async #openLog(topic: string, topicId: Uuid, partition: number, config: LogConfig): Promise<PartitionLog> {
    const name = folderName(topic, partition);
    assert(!this.#open.has(name), () => `the log of ${name} is open already`);
    if (config.flushMode === 'async') await this.life.asyncBegins();
    const isNew = await this.#folders.claim(topic, topicId, partition);
    const key = partitionKey(topicId, partition);
    const log = await this.#openFolder(name, key, config, isNew);
    if (!this.holds(topic, topicId, partition)) {
      await log.discard();
      throw new EnvError('CLOSED', `${log.directory} was moved while it was opened`);
    }
    const highWatermark = this.#checkpoints.get(key)?.highWatermark ?? 0;
    if (highWatermark > log.logEndOffset) {
      const { logEndOffset } = log;
      this.#deps.logger.warn('log-ends-below-high-watermark', { topic, partition, logEndOffset, highWatermark });
      // Before the next checkpoint, which knows of no more than there is: a crash must not hide it.
      await this.#checkpoints.markIncomplete(key);
    }
    await this.#checkpoints.markVerified(key);
    this.#open.set(name, { folder: name, key, log });
    if (this.health.failure !== undefined) log.fence(this.health.failure);
    return log;
  }

  async #openFolder(name: string, key: PartitionKey, config: LogConfig, isNew: boolean): Promise<PartitionLog> {
    const folder = `${this.path}/${name}`;
    const checkpoint = this.#checkpoints.get(key);
    const recovery = {
      cleanShutdown: this.cleanShutdownEpoch !== undefined && !this.#checkpoints.isUnverified(key),
      recoveryPoint: checkpoint?.recoveryPoint ?? 0,
      logStartOffset: checkpoint?.logStartOffset ?? 0,
      firstDirtyOffset: this.#checkpoints.firstDirtyOffset(key),
      leaderEpoch: checkpoint?.leaderEpoch,
    };
    const summary = this.#summaries.take(name);
    if (summary !== undefined && !isNew && recovery.cleanShutdown) {
      if (await fits(this.#deps.disk, folder, summary)) {
        return PartitionLog.fromSummary(this.#deps, folder, config, { summary, recovery }, this.#hooks(key));
      }
      // Somebody moved or changed it meanwhile: it is checked as after an unclean stop.
      this.#deps.logger.warn('log-changed-while-stopped', { directory: folder });
      recovery.cleanShutdown = false;
    }
    return this.#slots.run(async () => {
      this.#progress?.begin();
      let bytes: number | undefined;
      try {
        const log = await PartitionLog.open(this.#deps, folder, config, recovery, this.#hooks(key));
        bytes = log.sizeInBytes;
        return log;
      } finally {
        if (!isNew) this.#progress?.done(bytes);
      }
    });
  }

  /**
   * D-10.2: whether the log of this partition was found to end below what was known to be committed in it, until {@link told}: it is not
   * to be counted as complete.
   */
  isIncomplete(topicId: Uuid, partition: number): boolean {
    return this.#checkpoints.isIncomplete(partitionKey(topicId, partition));
  }

  /** The cluster does not count on that replica any more. EnvError. */
  told(topicId: Uuid, partition: number): Promise<void> {
    return this.#onDisk(() => this.#checkpoints.forgetIncomplete(partitionKey(topicId, partition)));
  }

  #hooks(key: PartitionKey): LogHooks {
    return this.#notes.hooks(key, (work) => this.#onDisk(work));
  }

  /**
   * Remembers, durably, how far the open logs are durable, where they start, and the given high watermarks. Often enough
   * that little must be checked after a crash, and that rot of old records is told from a torn end.
   */
  checkpoint(highWatermarkOf: HighWatermarkOf): Promise<void> {
    return this.#onDisk(() => this.#checkpoint(highWatermarkOf));
  }

  async #checkpoint(highWatermarkOf: HighWatermarkOf): Promise<void> {
    let entries: [PartitionKey, PartitionCheckpoint][] = [];
    let looked = 0;
    for (const open of this.#open.values()) {
      const next = this.#nextCheckpoint(open, highWatermarkOf);
      if (next !== undefined) entries.push([open.key, next]);
      if (++looked % CHECKPOINTS_PER_TURN > 0) continue;
      // Put before others run: what they note of a log is not to be overwritten (M-7).
      await this.#checkpoints.put(entries);
      entries = [];
      await sleep(this.#deps.clock, 0);
      if (this.#closed) return;
    }
    await this.#checkpoints.put(entries);
  }

  /** Undefined if it is as it was. */
  #nextCheckpoint(open: OpenPartition, highWatermarkOf: HighWatermarkOf): PartitionCheckpoint | undefined {
    const { recoveryPoint } = open.log;
    const { topicId, partition } = this.#folders.get(open.folder) as PartitionFolder;
    const known = this.#checkpoints.get(open.key);
    const logStartOffset = Math.max(open.log.logStartOffset, known?.logStartOffset ?? 0);
    const found = topicId === undefined ? undefined : highWatermarkOf(topicId, partition);
    // M-8: not on the strength of bytes that end with this process, or a crash would look like a loss.
    const surviving =
      found === undefined ? undefined : Math.max(logStartOffset, Math.min(found, open.log.survivingEndOffset));
    const highWatermark = surviving ?? known?.highWatermark ?? logStartOffset;
    const same =
      known?.recoveryPoint === recoveryPoint &&
      known.logStartOffset === logStartOffset &&
      known.highWatermark === highWatermark;
    return same ? undefined : { ...known, recoveryPoint, logStartOffset, highWatermark };
  }

  /** Closes the log if it is open and deletes the folder: renamed first, so that a crash leaves no half of it (D-0.6). */
  removeLog(topic: string, partition: number): Promise<void> {
    return this.#onDisk(async () => {
      const renamed = await this.#rename(topic, partition, 'delete');
      if (renamed !== undefined) await this.#deps.disk.remove(renamed);
    });
  }

  /** Closes the log if it is open and moves its folder out of the way, keeping the bytes. Returns its new path. */
  moveAside(topic: string, partition: number): Promise<string | undefined> {
    return this.#onDisk(() => this.#rename(topic, partition, 'stray'));
  }

  async #rename(topic: string, partition: number, what: 'delete' | 'stray'): Promise<string | undefined> {
    const name = folderName(topic, partition);
    const folder = this.#folders.get(name);
    if (folder === undefined) return undefined;
    const open = this.#open.get(name);
    this.#open.delete(name);
    this.#summaries.take(name);
    if (open === undefined) this.#progress?.done(undefined);
    await open?.log.discard();
    this.#renames += 1;
    const key = folder.topicId === undefined ? undefined : partitionKey(folder.topicId, partition);
    if (key !== undefined) await this.#checkpoints.beginRemoval(key);
    const to = `${this.path}/${renamedFolder(name, `${this.bootCounter}-${this.#renames}`, what)}`;
    await this.#folders.rename(name, to);
    if (key !== undefined) await this.#notes.remove(key);
    this.#deps.logger.info(what === 'delete' ? 'partition-deleted' : 'partition-moved-aside', { topic, partition, to });
    return to;
  }

  /**
   * Closes the logs and releases the lock. With `clean`, if every log could be made durable: checkpoints, and as the last
   * act the marker with the broker epoch granted to this incarnation (-1 if it never registered). Returns whether the
   * marker was written: never where the directory is offline (C-2.4).
   */
  async close(clean: boolean, brokerEpoch: Epoch): Promise<boolean> {
    if (this.#closed) return false;
    let durable = clean && this.health.failure === undefined && !this.life.inheritsUnsynced;
    try {
      const closing = [...this.#open.values()].map(({ log }) => this.#slots.run(() => this.#closeLog(log, clean)));
      for (const closed of await Promise.all(closing)) durable = closed && durable;
      if (durable) {
        await this.health.watch(async () => {
          await this.#checkpoint(() => undefined);
          await this.#putSummaries();
          await this.life.stopped();
          await writeCleanShutdown(this.#deps.disk, this.path, { brokerEpoch, bootCounter: this.#bootCounter });
        });
      }
    } catch (error) {
      // Told by whoever listens to `health`; the other directories are closed all the same.
      if (!isDiskFailure(error)) throw error;
      durable = false;
    } finally {
      this.#closed = true;
      await this.#checkpoints.close();
    }
    return durable;
  }

  /** What the next start needs of the logs, so that it need not look into their folders. */
  async #putSummaries(): Promise<void> {
    const bootCounter = this.#bootCounter;
    const summaries = this.#summaries.carriedOver(bootCounter);
    const unfit: PartitionKey[] = [];
    for (const { folder, key, log } of this.#open.values()) {
      const summary = log.summary((this.#folders.get(folder) as PartitionFolder).topic);
      if (summary === undefined) unfit.push(key);
      else summaries.push([key, encodeLogSummary(summary, bootCounter)]);
    }
    await this.#checkpoints.putSummaries(summaries);
    // Its files could not be read, say: they are checked before it is opened again.
    await this.#checkpoints.markUnverified(unfit);
  }

  /** Whether the log is durable. */
  async #closeLog(log: PartitionLog, clean: boolean): Promise<boolean> {
    try {
      if (clean && this.health.failure === undefined) await log.close();
      else await log.discard();
      return clean && this.health.failure === undefined;
    } catch (error) {
      if (!(error instanceof EnvError)) throw error;
      // Why a directory is offline was told once.
      if (this.health.failure === undefined) {
        this.#deps.logger.error('log-not-closed-cleanly', { directory: log.directory, error });
      }
      return false;
    }
  }

  /** EnvError CLOSED, or why the directory is offline. */
  async #onDisk<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new EnvError('CLOSED', `${this.path} is closed`);
    return this.health.watch(work);
  }
}
