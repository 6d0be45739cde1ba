// The folder of snapshot files. The catalogue in the database is the truth: at start, files that it does not list are
// removed, and one that it lists but is not there, or not intact, stops the node. Later, files of snapshots that left
// the catalogue are removed once nobody reads them.
import { assert } from '../base/assert.ts';
import type { Uuid } from '../base/uuid.ts';
import type { Clock } from '../env/clock.ts';
import type { Disk } from '../env/disk.ts';
import { parentOf } from '../env/disk.ts';
import type { Logger } from '../env/logger.ts';
import type { Snapshot, SnapshotId, Voter } from '../raft/types.ts';
import { SnapshotFileReader, unusable } from './snapshot-file.ts';

/** How the catalogue lists a snapshot. */
export interface CatalogueEntry {
  readonly id: SnapshotId;
  readonly sizeBytes: number;
}

const NAME = /^(\d{20})-(\d{10})\.checkpoint(\..*)?$/;

export function sameSnapshot(a: SnapshotId, b: SnapshotId): boolean {
  return a.endOffset === b.endOffset && a.epoch === b.epoch;
}

export function snapshotName({ endOffset, epoch }: SnapshotId): string {
  return `${String(endOffset).padStart(20, '0')}-${String(epoch).padStart(10, '0')}.checkpoint`;
}

export interface SnapshotFolderDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly clusterId: Uuid;
  readonly path: string;
}

export class SnapshotFolder {
  readonly #deps: SnapshotFolderDeps;
  #listed: readonly Snapshot[] = [];
  /** Names of files that are there, or may be. */
  readonly #present = new Set<string>();
  /** Readers by file name. */
  readonly #readers = new Map<string, number>();
  /** Files to remove once their last reader is gone. */
  readonly #doomed = new Set<string>();

  constructor(deps: SnapshotFolderDeps) {
    this.#deps = deps;
  }

  /** The catalogue, oldest first. */
  get listed(): readonly Snapshot[] {
    return this.#listed;
  }

  isListed(id: SnapshotId): boolean {
    return this.#listed.some((listed) => sameSnapshot(listed.id, id));
  }

  /** At start: verifies every file of the catalogue to its last byte and removes the others. EnvError CORRUPT, IO. */
  async load(catalogue: readonly CatalogueEntry[]): Promise<readonly Snapshot[]> {
    const { disk, path } = this.#deps;
    await disk.makeDirectory(path);
    // The folder itself: a power cut would take it with all that is in it.
    await disk.syncDirectory(parentOf(path));
    const names = new Set(catalogue.map(({ id }) => snapshotName(id)));
    for (const { name, isDirectory } of await disk.list(path)) {
      if (isDirectory || !NAME.test(name) || names.has(name)) continue;
      this.#deps.logger.info('snapshot-orphan-removed', { file: `${path}/${name}` });
      await disk.remove(`${path}/${name}`);
    }
    const snapshots: Snapshot[] = [];
    for (const { id, sizeBytes } of catalogue) {
      const voters = await this.verify(this.pathOf(id), id, sizeBytes);
      snapshots.push({ id, voters, sizeBytes });
      this.#present.add(snapshotName(id));
    }
    this.#listed = snapshots;
    return snapshots;
  }

  /** Reads the whole file; the voters that it names. EnvError CORRUPT, with the reason, unless it is intact and that snapshot. */
  async verify(path: string, id: SnapshotId, sizeBytes: number): Promise<readonly Voter[]> {
    const { disk, clock, clusterId } = this.#deps;
    const reader = await SnapshotFileReader.open(disk, clock, path);
    try {
      const { header } = reader;
      const wrong =
        reader.sizeBytes !== sizeBytes
          ? `it has ${reader.sizeBytes} bytes instead of ${sizeBytes}`
          : header.clusterId !== clusterId
            ? `it is of cluster ${header.clusterId}, this node belongs to ${clusterId}`
            : sameSnapshot(header.id, id)
              ? undefined
              : `it holds the snapshot ${header.id.endOffset}-${header.id.epoch}`;
      if (wrong !== undefined) throw unusable(path, { message: wrong, newer: false });
      for await (const _chunk of reader.chunks());
      return header.voters;
    } finally {
      await reader.close();
    }
  }

  pathOf(id: SnapshotId): string {
    return `${this.#deps.path}/${snapshotName(id)}`;
  }

  /** Where a snapshot is written before it is complete; each writer has its own suffix. */
  partOf(id: SnapshotId, writer: 'taken' | 'received'): string {
    return `${this.pathOf(id)}.${writer}.part`;
  }

  /**
   * gives a complete, synced part its name, durably. False, and the part is gone, if that snapshot is there already: two of
   * one id show the same state, but not in the same bytes, and the catalogue may speak of the other.
   */
  async adopt(part: string, id: SnapshotId): Promise<boolean> {
    const name = snapshotName(id);
    if (this.#present.has(name)) {
      await this.remove(part);
      return false;
    }
    this.#present.add(name);
    try {
      await this.#deps.disk.rename(part, this.pathOf(id));
      await this.#deps.disk.syncDirectory(this.#deps.path);
      return true;
    } catch (error) {
      await this.discard(id);
      throw error;
    }
  }

  /** The catalogue is now `snapshots`, which are all complete here. Not durable yet: what it no longer lists is discarded when it is. */
  list(snapshots: readonly Snapshot[]): void {
    this.#listed = snapshots;
  }

  /** Removes a snapshot's file, unless the catalogue lists it; after its last reader. */
  async discard(id: SnapshotId): Promise<void> {
    if (this.isListed(id)) return;
    const name = snapshotName(id);
    if (this.#readers.has(name)) {
      this.#doomed.add(name);
      return;
    }
    await this.remove(this.pathOf(id));
    this.#present.delete(name);
  }

  /** Removes a file; that it is still there harms nobody: it is an orphan at the next start. */
  async remove(path: string): Promise<void> {
    try {
      await this.#deps.disk.remove(path);
    } catch (error) {
      this.#deps.logger.warn('snapshot-not-removed', { file: path, error });
    }
  }

  /** Keeps the file of a snapshot from being removed; the returned function lets go of it. */
  hold(id: SnapshotId): () => Promise<void> {
    const name = snapshotName(id);
    this.#readers.set(name, (this.#readers.get(name) ?? 0) + 1);
    let held = true;
    return async () => {
      assert(held, 'a file is let go once');
      held = false;
      const left = (this.#readers.get(name) ?? 0) - 1;
      if (left > 0) {
        this.#readers.set(name, left);
        return;
      }
      this.#readers.delete(name);
      if (this.#doomed.delete(name)) await this.discard(id);
    };
  }
}
