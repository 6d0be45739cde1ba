// The snapshots of one replica: takes its own, keeps those it fetches, serves pieces and readers. The core decides what
// becomes of a complete one; what it does not take into the catalogue is removed again.
import type { Ms, Offset } from '../base/ids.ts';
import type { Env } from '../env/env.ts';
import { isEnvError } from '../env/error.ts';
import type { Logger } from '../env/logger.ts';
import { RpcError } from '../env/network.ts';
import type { RaftEffect, RaftEvent, RaftResponse, Snapshot, SnapshotId, Voter } from '../raft/types.ts';
import { MAX_PIECES_READ, MAX_SNAPSHOT_PIECE_BYTES } from './limits.ts';
import { SnapshotFileReader } from './snapshot-file.ts';
import type { SnapshotFolder } from './snapshot-folder.ts';
import { sameSnapshot } from './snapshot-folder.ts';
import { SnapshotReceiver } from './snapshot-receiver.ts';
import type { SnapshotPolicy } from './snapshot-taker.ts';
import { SnapshotTaker } from './snapshot-taker.ts';

/** A file that is fetched often is verified no more often than this. */
const CHECK_AGAIN_MS: Ms = 600_000;

/** A snapshot of the catalogue, open for reading: its file stays until it is closed. */
export interface SnapshotReader {
  readonly snapshot: Snapshot;
  /** By the wall clock of the node that took it, milliseconds since 1970. */
  readonly takenAtMs: number;
  /** The state machine's records in order, verified chunk by chunk, with a pause after each chunk; once. EnvError CORRUPT, IO. */
  chunks(): AsyncIterable<readonly Uint8Array[]>;
  close(): Promise<void>;
}

export interface SnapshotsDeps {
  readonly env: Env;
  readonly logger: Logger;
  readonly clusterId: string;
  readonly folder: SnapshotFolder;
  readonly policy: SnapshotPolicy;
  /** The state as of the last applied batch. */
  readonly records: () => Iterable<Uint8Array>;
  readonly votersAsOf: (endOffset: Offset) => readonly Voter[] | undefined;
  readonly feed: (event: RaftEvent) => void;
  readonly failed: (reason: string, error: unknown) => void;
}

export class Snapshots {
  readonly taker: SnapshotTaker;
  readonly receiver: SnapshotReceiver;
  readonly #deps: SnapshotsDeps;
  readonly #folder: SnapshotFolder;
  /** What the catalogue was before; some of it may leave. */
  #before: readonly Snapshot[];
  #reading = 0;
  /** By file: until when it need not be verified again. */
  readonly #checkedUntil = new Map<string, Ms>();
  #checking: Promise<void> | undefined;
  #stopped = false;
  readonly #waiting: (() => void)[] = [];

  constructor(deps: SnapshotsDeps) {
    this.#deps = deps;
    this.#folder = deps.folder;
    this.#before = deps.folder.listed;
    const { env, logger, clusterId, folder, policy, records, votersAsOf, feed } = deps;
    const { disk, clock } = env;
    this.taker = new SnapshotTaker({
      disk,
      clock,
      logger,
      clusterId,
      folder,
      policy,
      records,
      votersAsOf,
      taken: (snapshot) => {
        feed({ type: 'snapshotTaken', now: clock.now(), snapshot });
        return folder.isListed(snapshot.id);
      },
      failed: (error) => deps.failed('the metadata state machine failed to give its records', error),
    });
    this.receiver = new SnapshotReceiver({
      disk,
      clock,
      logger,
      folder,
      received: (snapshot) => {
        feed({ type: 'snapshotReceived', now: clock.now(), snapshot });
        return folder.isListed(snapshot.id);
      },
      rejected: (id, reason) => feed({ type: 'snapshotRejected', now: clock.now(), id, reason }),
      failed: (error) => deps.failed('a fetched snapshot could not be handled', error),
    });
  }

  /** The catalogue, oldest first. */
  get listedNow(): readonly Snapshot[] {
    return this.#folder.listed;
  }

  /** The core's catalogue; not durable yet. */
  list(snapshots: readonly Snapshot[]): void {
    this.#folder.list(snapshots);
  }

  /** The catalogue is durable: files of snapshots that it no longer lists go, after their last reader. */
  async listed(snapshots: readonly Snapshot[]): Promise<void> {
    const gone = this.#before.filter(({ id }) => !snapshots.some((listed) => sameSnapshot(listed.id, id)));
    this.#before = snapshots;
    for (const { id } of gone) await this.#folder.discard(id);
  }

  /** the response with the piece that was asked for. RpcError if the file cannot be read. */
  async serve({ response, maxBytes }: Extract<RaftEffect, { type: 'serveSnapshot' }>): Promise<RaftResponse> {
    const { snapshotId, position, sizeBytes } = response;
    const length = Math.min(maxBytes, MAX_SNAPSHOT_PIECE_BYTES, sizeBytes - position);
    const release = this.#folder.hold(snapshotId);
    if (position === 0) void this.#check(snapshotId, sizeBytes);
    try {
      const bytes = await this.#inTurn(() => this.#readPiece(snapshotId, position, length));
      return { ...response, bytes };
    } catch (error) {
      if (!isEnvError(error)) throw error;
      // It left the catalogue while the answer waited.
      if (error.code === 'NOT_FOUND') return { ...response, error: 'SNAPSHOT_NOT_FOUND', bytes: Buffer.alloc(0) };
      this.#deps.logger.error('snapshot-unreadable', { ...snapshotId, reason: error.message, fix: 'check the disk' });
      throw new RpcError('INTERNAL', `the snapshot cannot be read: ${error.message}`);
    } finally {
      await release();
    }
  }

  /** The newest, or the one of that id; undefined if the catalogue does not list it (any more). EnvError CORRUPT, IO. */
  async open(id = this.#folder.listed.at(-1)?.id): Promise<SnapshotReader | undefined> {
    const snapshot = this.#folder.listed.find((listed) => id !== undefined && sameSnapshot(listed.id, id));
    if (snapshot === undefined) return undefined;
    const release = this.#folder.hold(snapshot.id);
    const { disk, clock } = this.#deps.env;
    try {
      const file = await SnapshotFileReader.open(disk, clock, this.#folder.pathOf(snapshot.id));
      return {
        snapshot,
        takenAtMs: file.header.takenAtMs,
        chunks: () => file.chunks(),
        close: async () => {
          await file.close();
          await release();
        },
      };
    } catch (error) {
      await release();
      throw error;
    }
  }

  /** All records of a snapshot of the catalogue. */
  async *read(id: SnapshotId): AsyncGenerator<readonly Uint8Array[]> {
    const release = this.#folder.hold(id);
    try {
      const file = await SnapshotFileReader.open(this.#deps.env.disk, this.#deps.env.clock, this.#folder.pathOf(id));
      try {
        yield* file.chunks();
      } finally {
        await file.close();
      }
    } finally {
      await release();
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#checking;
    await this.taker.stop();
    await this.receiver.stop();
  }

  /**
   * a file that rotted since it was written would be fetched in vain again and again, and is not to be started from: the node
   * stops, and another leads. Read beside the serving, which cannot wait for it.
   */
  async #check(id: SnapshotId, sizeBytes: number): Promise<void> {
    const name = this.#folder.pathOf(id);
    const { clock } = this.#deps.env;
    // One that left the catalogue may be gone.
    if (this.#stopped || !this.#folder.isListed(id) || clock.now() < (this.#checkedUntil.get(name) ?? 0)) return;
    this.#checkedUntil.clear();
    this.#checkedUntil.set(name, clock.now() + CHECK_AGAIN_MS);
    const release = this.#folder.hold(id);
    this.#checking = this.#folder
      .verify(name, id, sizeBytes)
      .catch((error: unknown) => {
        if (isEnvError(error, 'CORRUPT')) this.#deps.failed(error.message, error);
        else this.#deps.logger.warn('snapshot-not-verified', { file: name, error });
      })
      .then(release);
    await this.#checking;
  }

  async #readPiece(id: SnapshotId, position: number, length: number): Promise<Buffer> {
    const file = await this.#deps.env.disk.open(this.#folder.pathOf(id), 'read');
    try {
      const bytes = Buffer.allocUnsafe(length);
      return bytes.subarray(0, await file.read(bytes, 0, length, position));
    } finally {
      await file.close();
    }
  }

  /** A few at a time, in order of the calls. */
  async #inTurn<T>(read: () => Promise<T>): Promise<T> {
    if (this.#reading >= MAX_PIECES_READ) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#reading++;
    try {
      return await read();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#reading--;
      else next();
    }
  }
}
