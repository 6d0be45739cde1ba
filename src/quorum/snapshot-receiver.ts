// Pieces of a snapshot that this node fetches: kept in a part file in order, at the end verified to the last
// byte, synced and given its name. Whatever goes wrong with it is no harm: the part is dropped and the core fetches anew.
import { assert } from '../base/assert.ts';
import type { Ms } from '../base/ids.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { Disk, DiskFile } from '../env/disk.ts';
import type { EnvError } from '../env/error.ts';
import { isEnvError } from '../env/error.ts';
import type { Logger } from '../env/logger.ts';
import type { Snapshot, SnapshotId } from '../raft/types.ts';
import { writeFully } from './snapshot-file.ts';
import type { SnapshotFolder } from './snapshot-folder.ts';
import { sameSnapshot } from './snapshot-folder.ts';

export interface SnapshotReceiverDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly folder: SnapshotFolder;
  /** Complete, verified and durable under its final name; returns whether it is in the catalogue now. */
  readonly received: (snapshot: Snapshot) => boolean;
  /** The file was no intact snapshot, or could not be kept: it is gone. */
  readonly rejected: (id: SnapshotId, reason: string) => void;
  /** A bug. */
  readonly failed: (error: unknown) => void;
}

interface Download {
  readonly id: SnapshotId;
  readonly file: DiskFile;
  sizeBytes: number;
}

/** A disk that refuses, being full perhaps, is not asked again at once: the core says that it waits, and the leader believes it. */
const RETRY_MS: Ms = 2000;

export class SnapshotReceiver {
  readonly #deps: SnapshotReceiverDeps;
  #download: Download | undefined;
  /** The download whose pieces could not be kept: the core hears of it when it has sent all of them. */
  #failed: { readonly id: SnapshotId; readonly reason: string } | undefined;
  #retry: Timer | undefined;
  /** Steps run one after the other. */
  #tail: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(deps: SnapshotReceiverDeps) {
    this.#deps = deps;
  }

  /** Keeps a piece; position 0 begins anew and forgets any other download. */
  piece(id: SnapshotId, position: number, bytes: Uint8Array): void {
    this.#then('piece', id, async () => {
      if (position === 0) await this.#begin(id);
      const download = this.#download;
      if (download === undefined || !sameSnapshot(download.id, id)) return;
      assert(download.sizeBytes === position, 'pieces of a snapshot come in order');
      download.sizeBytes += writeFully(download.file, bytes, position);
    });
  }

  /** All pieces are there: answered by `received` or `rejected`. */
  finish(id: SnapshotId, sizeBytes: number): void {
    this.#then('finish', id, async () => {
      const download = this.#download;
      if (download === undefined || !sameSnapshot(download.id, id)) return this.#rejectLater(id);
      const { folder } = this.#deps;
      const part = folder.partOf(id, 'received');
      await download.file.sync();
      this.#download = undefined;
      await download.file.close();
      const voters = await folder.verify(part, id, sizeBytes);
      const isNew = await folder.adopt(part, id);
      if (this.#stopped) return;
      if (!isNew) return this.#deps.rejected(id, 'this node has it already');
      if (this.#deps.received({ id, voters, sizeBytes })) {
        this.#deps.logger.info('snapshot-received', { ...id, sizeBytes });
      } else await folder.discard(id);
    });
  }

  /** Drops what is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#retry?.cancel();
    await this.#tail;
    await this.#drop();
  }

  #then(type: 'piece' | 'finish', id: SnapshotId, step: () => Promise<void>): void {
    this.#tail = this.#tail.then(async () => {
      if (this.#stopped) return;
      try {
        await step();
      } catch (error) {
        if (isEnvError(error)) await this.#fail(type, id, error);
        else this.#deps.failed(error);
      }
    });
  }

  async #begin(id: SnapshotId): Promise<void> {
    await this.#drop();
    this.#failed = undefined;
    const { disk, folder } = this.#deps;
    const part = folder.partOf(id, 'received');
    await disk.remove(part);
    this.#download = { id, file: await disk.open(part, 'create'), sizeBytes: 0 };
  }

  /** What the disk refused, or what is no intact snapshot. */
  async #fail(type: 'piece' | 'finish', id: SnapshotId, { code, message }: EnvError): Promise<void> {
    const { folder, logger, rejected } = this.#deps;
    logger.error('snapshot-not-received', { ...id, reason: message });
    await this.#drop();
    await folder.remove(folder.partOf(id, 'received'));
    if (type === 'finish' && code === 'CORRUPT') return rejected(id, message);
    this.#failed = { id, reason: message };
    if (type === 'finish') this.#rejectLater(id);
  }

  #rejectLater(id: SnapshotId): void {
    const failed = this.#failed;
    const reason = failed !== undefined && sameSnapshot(failed.id, id) ? failed.reason : 'its pieces were not kept';
    this.#retry?.cancel();
    this.#retry = this.#deps.clock.schedule(RETRY_MS, () => this.#deps.rejected(id, reason));
  }

  async #drop(): Promise<void> {
    const download = this.#download;
    if (download === undefined) return;
    this.#download = undefined;
    const { folder, logger } = this.#deps;
    try {
      await download.file.close();
    } catch (error) {
      logger.warn('snapshot-part-not-closed', { ...download.id, error });
    }
    await folder.remove(folder.partOf(download.id, 'received'));
  }
}
