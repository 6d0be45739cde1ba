// One entry of log.dirs: identity, lock, checkpoints, the marker of a clean stop, and the partitions' folders.
// The lock is that of the Store in `checkpoints`. Whoever opens a directory closes it, cleanly or not; only a clean close
// with every log durable leaves the marker (C-2.4).
import { assert } from '../base/assert.ts';
import type { Epoch, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { DiskSpace } from '../env/disk.ts';
import { EnvError, isEnvError } from '../env/error.ts';
import type { OpenStore, Store } from '../env/store.ts';
import type { PartitionCheckpoint, PartitionKey } from './checkpoints.ts';
import { Checkpoints, partitionKey } from './checkpoints.ts';
import { consumeCleanShutdown, writeCleanShutdown } from './clean-shutdown.ts';
import { DirectoryHealth, isDiskFailure } from './directory-health.ts';
import type { LogConfig, LogDeps } from './log-state.ts';
import type { PartitionFolder } from './partition-folder.ts';
import {
  folderName,
  isDeletedFolder,
  parseFolderName,
  readPartitionMetadata,
  renamedFolder,
  writePartitionMetadata,
} from './partition-folder.ts';
import { PartitionLog } from './partition-log.ts';
import type { ExpectedOwner, MetaProperties } from './storage.ts';
import { StorageError, verifyMetaProperties } from './storage.ts';

export interface LogDirectoryDeps extends LogDeps {
  readonly openStore: OpenStore;
}

const NO_CHECKPOINT: PartitionCheckpoint = { recoveryPoint: 0, logStartOffset: 0, highWatermark: 0 };

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
  /** Whether it can be used: whatever fails on its disk takes it offline (D-10.5). */
  readonly health = new DirectoryHealth();
  readonly #deps: LogDeps;
  readonly #checkpoints: Checkpoints;
  #bootCounter: number;
  readonly #folders = new Map<string, PartitionFolder>();
  readonly #open = new Map<string, OpenPartition>();
  #renames = 0;
  #closed = false;

  private constructor(
    deps: LogDeps,
    path: string,
    start: Pick<LogDirectory, 'meta' | 'bootCounter' | 'cleanShutdownEpoch'>,
    checkpoints: Checkpoints,
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
    this.#checkpoints = checkpoints;
    this.health.whenFailed((error) => {
      for (const { log } of this.#open.values()) log.fence(error);
    });
  }

  /**
   * Verifies that the directory is this node's, locks it, consumes the marker, removes what was to be deleted and lists
   * the partitions. StorageError with a sentence for the operator; EnvError if the disk fails.
   */
  static async open(deps: LogDirectoryDeps, path: string, expected: ExpectedOwner): Promise<LogDirectory> {
    const meta = await verifyMetaProperties(deps.disk, path, expected);
    const store = await lock(deps.openStore, path);
    try {
      const checkpoints = await Checkpoints.load(store);
      const bootCounter = await checkpoints.nextBoot();
      const cleanShutdownEpoch = await consumeCleanShutdown(deps.disk, path);
      const directory = new LogDirectory(deps, path, { meta, bootCounter, cleanShutdownEpoch }, checkpoints);
      await directory.#list();
      return directory;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  async #list(): Promise<void> {
    const { disk, logger } = this.#deps;
    for (const entry of await disk.list(this.path)) {
      if (!entry.isDirectory) continue;
      const path = `${this.path}/${entry.name}`;
      if (isDeletedFolder(entry.name)) {
        logger.info('deleted-partition-removed', { directory: path });
        await disk.remove(path);
        continue;
      }
      const name = parseFolderName(entry.name);
      if (name === undefined) continue;
      this.#folders.set(entry.name, { ...name, topicId: await readPartitionMetadata(disk, path) });
    }
    if (this.cleanShutdownEpoch !== undefined) return;
    // A later clean stop vouches only for the logs that were opened, and so checked, until then.
    const keys = this.partitions().flatMap(({ topicId, partition }) =>
      topicId === undefined ? [] : [partitionKey(topicId, partition)],
    );
    await this.#checkpoints.markUnverified(keys);
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
    return [...this.#folders.values()];
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
   * or damaged, EXISTS if the folder is another topic's of the same name: move it aside first (D-0.5).
   */
  openLog(topic: string, topicId: Uuid, partition: number, config: LogConfig): Promise<PartitionLog> {
    return this.#onDisk(() => this.#openLog(topic, topicId, partition, config));
  }

  async #openLog(topic: string, topicId: Uuid, partition: number, config: LogConfig): Promise<PartitionLog> {
    const name = folderName(topic, partition);
    assert(!this.#open.has(name), () => `the log of ${name} is open already`);
    const folder = `${this.path}/${name}`;
    await this.#claimFolder(name, topic, topicId, partition);
    const key = partitionKey(topicId, partition);
    const checkpoint = this.#checkpoints.get(key);
    const log = await PartitionLog.open(
      { ...this.#deps, logger: this.#deps.logger.child({ topic, partition }) },
      folder,
      config,
      {
        cleanShutdown: this.cleanShutdownEpoch !== undefined && !this.#checkpoints.isUnverified(key),
        recoveryPoint: checkpoint?.recoveryPoint ?? 0,
        logStartOffset: checkpoint?.logStartOffset ?? 0,
      },
      {
        beforeTruncation: (offset) => this.#onDisk(() => this.#lowerRecoveryPoint(key, offset)),
        noteLogStart: (offset) => this.#onDisk(() => this.#noteLogStart(key, offset)),
      },
    );
    await this.#checkpoints.markVerified(key);
    if (checkpoint !== undefined && checkpoint.highWatermark > log.logEndOffset) {
      const { highWatermark } = checkpoint;
      this.#deps.logger.warn('log-ends-below-high-watermark', {
        topic,
        partition,
        logEndOffset: log.logEndOffset,
        highWatermark,
      });
    }
    this.#open.set(name, { folder: name, key, log });
    if (this.health.failure !== undefined) log.fence(this.health.failure);
    return log;
  }

  async #claimFolder(name: string, topic: string, topicId: Uuid, partition: number): Promise<void> {
    const { disk } = this.#deps;
    const folder = `${this.path}/${name}`;
    const known = this.#folders.get(name);
    if (known?.topicId === topicId) return;
    if (known?.topicId !== undefined) {
      throw new EnvError('EXISTS', `${folder} holds topic id ${known.topicId}, not ${topicId}: move it aside`);
    }
    // New, or left by a creation that was cut short: its metadata is written before anything else is.
    if (known !== undefined && (await disk.list(folder)).some((entry) => entry.name.endsWith('.log'))) {
      throw new EnvError('EXISTS', `${folder} holds a log of an unknown topic id: move it aside`);
    }
    await disk.makeDirectory(folder);
    await writePartitionMetadata(disk, folder, topicId);
    await disk.syncDirectory(this.path);
    this.#folders.set(name, { topic, partition, topicId });
  }

  /** M-7: nothing durable may promise more than the log will have. */
  async #lowerRecoveryPoint(key: PartitionKey, offset: Offset): Promise<void> {
    const checkpoint = this.#checkpoints.get(key);
    if (checkpoint === undefined || checkpoint.recoveryPoint <= offset) return;
    await this.#checkpoints.put([[key, { ...checkpoint, recoveryPoint: offset }]]);
  }

  /** D-9.2: what is removed below the start stays removed, whatever a crash leaves of the folder. */
  async #noteLogStart(key: PartitionKey, offset: Offset): Promise<void> {
    const checkpoint = this.#checkpoints.get(key) ?? NO_CHECKPOINT;
    if (checkpoint.logStartOffset >= offset) return;
    await this.#checkpoints.put([[key, { ...checkpoint, logStartOffset: offset }]]);
  }

  /**
   * Remembers, durably, how far the open logs are durable, where they start, and the given high watermarks. Often enough
   * that little must be checked after a crash, and that rot of old records is told from a torn end.
   */
  checkpoint(highWatermarkOf: (topic: string, partition: number) => Offset | undefined): Promise<void> {
    return this.#onDisk(() => this.#checkpoint(highWatermarkOf));
  }

  async #checkpoint(highWatermarkOf: (topic: string, partition: number) => Offset | undefined): Promise<void> {
    const entries: [PartitionKey, PartitionCheckpoint][] = [];
    for (const { folder, key, log } of this.#open.values()) {
      const { topic, partition } = this.#folders.get(folder) as PartitionFolder;
      const known = this.#checkpoints.get(key);
      const next: PartitionCheckpoint = {
        recoveryPoint: log.recoveryPoint,
        logStartOffset: Math.max(log.logStartOffset, known?.logStartOffset ?? 0),
        highWatermark: highWatermarkOf(topic, partition) ?? known?.highWatermark ?? log.logStartOffset,
      };
      const same =
        known?.recoveryPoint === next.recoveryPoint &&
        known.logStartOffset === next.logStartOffset &&
        known.highWatermark === next.highWatermark;
      if (!same) entries.push([key, next]);
    }
    await this.#checkpoints.put(entries);
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
    const { disk } = this.#deps;
    const name = folderName(topic, partition);
    const folder = this.#folders.get(name);
    if (folder === undefined) return undefined;
    const open = this.#open.get(name);
    this.#open.delete(name);
    this.#folders.delete(name);
    await open?.log.discard();
    this.#renames += 1;
    const to = `${this.path}/${renamedFolder(name, `${this.bootCounter}-${this.#renames}`, what)}`;
    await disk.rename(`${this.path}/${name}`, to);
    await disk.syncDirectory(this.path);
    if (folder.topicId !== undefined) await this.#checkpoints.remove(partitionKey(folder.topicId, partition));
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
    let durable = clean && this.health.failure === undefined;
    try {
      for (const { log } of this.#open.values()) durable = (await this.#closeLog(log, clean)) && durable;
      if (durable) {
        await this.health.watch(async () => {
          await this.#checkpoint(() => undefined);
          await writeCleanShutdown(this.#deps.disk, this.path, brokerEpoch);
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

async function lock(openStore: OpenStore, path: string): Promise<Store> {
  try {
    return await openStore(`${path}/checkpoints`);
  } catch (error) {
    if (!isEnvError(error, 'LOCKED')) throw error;
    throw new StorageError(
      'locked',
      `${path} is in use by another process: stop that one, or set log.dirs to another directory`,
      error,
    );
  }
}
