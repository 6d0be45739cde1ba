// When this node takes a snapshot of its own state, and how: after so many bytes of records, or after some time
// with anything new; one at a time; written in slices while batches are applied. A full disk is no reason to stop, as nothing was
// promised yet: the part is dropped and it is tried again later.
import type { Epoch, Ms, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { Disk } from '../env/disk.ts';
import { isEnvError } from '../env/error.ts';
import type { Logger } from '../env/logger.ts';
import type { Snapshot, SnapshotId, Voter } from '../raft/types.ts';
import { MAX_RECORDS_BETWEEN_SNAPSHOTS } from './limits.ts';
import { writeSnapshotFile } from './snapshot-file.ts';
import type { SnapshotFolder } from './snapshot-folder.ts';

export interface SnapshotPolicy {
  /** `metadata.log.max.record.bytes.between.snapshots`. */
  readonly maxBytes: number;
  /** `metadata.log.max.snapshot.interval.ms`; 0: never by time. */
  readonly maxIntervalMs: Ms;
}

/** How much of a log. */
export interface Volume {
  readonly bytes: number;
  readonly records: number;
}

const NOTHING: Volume = { bytes: 0, records: 0 };

function sum(a: Volume, b: Volume): Volume {
  return { bytes: a.bytes + b.bytes, records: a.records + b.records };
}

export interface SnapshotTakerDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly clusterId: Uuid;
  readonly folder: SnapshotFolder;
  readonly policy: SnapshotPolicy;
  /** The state as of the last applied batch. */
  readonly records: () => Iterable<Uint8Array>;
  readonly votersAsOf: (endOffset: Offset) => readonly Voter[] | undefined;
  /** Complete and durable under its final name; returns whether it is in the catalogue now. */
  readonly taken: (snapshot: Snapshot) => boolean;
  readonly failed: (error: unknown) => void;
}

/** After a snapshot could not be written. */
const RETRY_MS: Ms = 60_000;

export class SnapshotTaker {
  readonly #deps: SnapshotTakerDeps;
  /** End of what was applied, and the epoch before it. */
  #applied: SnapshotId = { endOffset: 0, epoch: 0 };
  /** Records applied since the last snapshot was begun. */
  #since: Volume = NOTHING;
  /** End of the newest snapshot. */
  #newest: Offset = 0;
  #running: Promise<SnapshotId | undefined> | undefined;
  #timer: Timer | undefined;
  #retryAt: Ms = 0;
  /** A snapshot is on its way into the state machine: what is applied is not what the log says. */
  #loading = false;
  #stopped = false;

  constructor(deps: SnapshotTakerDeps) {
    this.#deps = deps;
  }

  /** The interval begins. */
  start(): void {
    this.#schedule();
  }

  /** So much was applied; it ends at `endOffset`, with a record of `epoch`. */
  applied(endOffset: Offset, epoch: Epoch, volume: Volume): void {
    this.#applied = { endOffset, epoch };
    this.#since = sum(this.#since, volume);
    const { bytes, records } = this.#since;
    const isDue = bytes >= this.#deps.policy.maxBytes || records >= MAX_RECORDS_BETWEEN_SNAPSHOTS;
    if (isDue && this.#deps.clock.now() >= this.#retryAt) void this.take();
  }

  /** The state is about to be replaced by that of a snapshot. */
  loads(): void {
    this.#loading = true;
  }

  /** The state is now that of a snapshot of the catalogue. */
  loaded(id: SnapshotId): void {
    this.#loading = false;
    this.#applied = id;
    this.#newest = id.endOffset;
    this.#since = NOTHING;
  }

  /** Takes one of what is applied now; the id of the one under way if there is one; undefined: nothing new, or it failed. */
  take(): Promise<SnapshotId | undefined> {
    if (this.#running !== undefined) return this.#running;
    const id = this.#applied;
    if (this.#stopped || this.#loading || id.endOffset <= this.#newest) return Promise.resolve(undefined);
    const voters = this.#deps.votersAsOf(id.endOffset);
    if (voters === undefined) return Promise.resolve(undefined);
    const before = this.#since;
    this.#since = NOTHING;
    this.#running = this.#take(id, voters)
      .then((done) => {
        if (done) return id;
        this.#since = sum(before, this.#since);
        return undefined;
      })
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  /** Abandons what is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  async #take(id: SnapshotId, voters: readonly Voter[]): Promise<boolean> {
    const { clock, logger, folder } = this.#deps;
    const startedMs = clock.now();
    try {
      const snapshot = await this.#write(id, voters);
      if (snapshot === undefined || this.#stopped) return false;
      if (!this.#deps.taken(snapshot)) {
        await folder.discard(id);
        return false;
      }
      this.#newest = Math.max(this.#newest, id.endOffset);
      const { sizeBytes } = snapshot;
      logger.info('snapshot-taken', { ...id, sizeBytes, tookMs: Math.round(clock.now() - startedMs) });
      return true;
    } catch (error) {
      await folder.remove(folder.partOf(id, 'taken'));
      // Anything but the disk's refusal is a state that cannot give its records: a bug.
      if (!isEnvError(error)) {
        this.#deps.failed(error);
        return false;
      }
      this.#retryAt = clock.now() + RETRY_MS;
      const fix =
        error.code === 'NO_SPACE'
          ? 'free space on the disk of the metadata log: until then the log grows'
          : 'check the disk of the metadata log: until then the log grows';
      logger.error('snapshot-failed', { ...id, reason: error.message, fix, retryMs: RETRY_MS });
      return false;
    }
  }

  async #write(id: SnapshotId, voters: readonly Voter[]): Promise<Snapshot | undefined> {
    const { disk, clock, clusterId, folder } = this.#deps;
    const part = folder.partOf(id, 'taken');
    // Captured before the first pause: the state as of `id`.
    const records = this.#deps.records();
    await disk.remove(part);
    const header = { clusterId, id, voters, takenAtMs: Math.trunc(clock.wallTime()) };
    const sizeBytes = await writeSnapshotFile(disk, clock, part, { header, records }, () => this.#stopped);
    if (sizeBytes === undefined) {
      await folder.remove(part);
      return undefined;
    }
    return (await folder.adopt(part, id)) ? { id, voters, sizeBytes } : undefined;
  }

  #schedule(): void {
    const { clock, policy } = this.#deps;
    if (policy.maxIntervalMs === 0) return;
    this.#timer = clock.schedule(policy.maxIntervalMs, () => {
      this.#schedule();
      void this.take();
    });
  }
}
