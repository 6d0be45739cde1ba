// Keeps the model of one replica's disk (sim/raft/disk.ts) in step with what the simulated disk really holds, for all its lives:
// M-5 (what the core is told to be durable is), R-1.7 (it starts with all of it), R-10.2 (snapshot files).

import { snapshotName } from '../../quorum/snapshot-folder.ts';
import type { DurableState, OpId, ReplicaKey, Snapshot } from '../../raft/types.ts';
import { FileNode } from '../disk/file-node.ts';
import type { SimDisk } from '../disk/sim-disk.ts';
import { DirectoryNode } from '../disk/tree.ts';
import type { SimDisk as ModelDisk, SnapshotFile } from '../raft/disk.ts';
import { fileOf, keepFile, newDisk, sameSnapshot, syncOldest } from '../raft/disk.ts';
import type { NodeView } from '../raft/ghost.ts';
import { batchHash } from '../raft/hash.ts';
import { prefixAt } from '../raft/log-entry.ts';
import type { Observer } from '../raft/observe.ts';
import { observeCrash, observeStarted, observeSync } from '../raft/observe.ts';
import { check, Violation } from '../raft/violation.ts';
import { DurableMetadata } from './durable-metadata.ts';

export class ReplicaDisk {
  readonly #observer: Observer;
  readonly #view: NodeView;
  readonly #disk: SimDisk;
  readonly #snapshotDirectory: string;
  #durable = new DurableMetadata();

  constructor(observer: Observer, view: NodeView, disk: SimDisk, snapshotDirectory: string) {
    this.#observer = observer;
    this.#view = view;
    this.#disk = disk;
    this.#snapshotDirectory = snapshotDirectory;
  }

  /** Follows a new database. `judge` runs what may find a violation. */
  newDatabase(judge: (look: () => void) => void): DurableMetadata {
    const durable = new DurableMetadata();
    durable.onDurable = () => judge(() => this.#catchUp(durable));
    this.#durable = durable;
    return durable;
  }

  /** A life begins: the one before is over, and what it left is what the database now holds. */
  begin(replica: ReplicaKey): void {
    const { disk, incarnation } = this.#view;
    if (incarnation === 0) this.#view.disk = newDisk(replica);
    else if (disk.replica.directoryId !== replica.directoryId) observeCrash(this.#observer, this.#view, 0, replica);
    else observeCrash(this.#observer, this.#view, this.#survivors(disk), undefined);
    observeStarted(this.#observer, this.#view);
  }

  /** What the core starts with. */
  loaded({ quorumState, snapshots, batches }: DurableState): void {
    const { synced, syncedState, syncedCatalogue } = this.#view.disk;
    const last = batches.at(-1);
    const expected = synced.entries.at(-1)?.batch;
    const same =
      batches.length === synced.entries.length &&
      quorumState?.leaderEpoch === syncedState?.leaderEpoch &&
      quorumState?.votedKey?.directoryId === syncedState?.votedKey?.directoryId &&
      snapshots.length === syncedCatalogue.length &&
      snapshots.every(({ id }, i) => sameSnapshot(id, (syncedCatalogue[i] as SnapshotFile).snapshot.id)) &&
      (last === undefined || expected === undefined || batchHash(last) === batchHash(expected));
    check('R-1.7', same, () => `node ${this.#view.id} starts with something else: ${this.#whatIsDurable()}`);
  }

  /** The core is told that everything up to `op` is durable. */
  done(op: OpId): void {
    const { disk } = this.#view;
    while (disk.pending.length > 0 && (disk.pending[0]?.op ?? op + 1) <= op) observeSync(this.#observer, this.#view);
    check('M-5', this.#durable.equals(disk), () => `operation ${op} is said to be durable; ${this.#whatIsDurable()}`);
  }

  /** The core is told that this snapshot is complete and durable: taken of the own log, or received. */
  keep(snapshot: Snapshot, isOwn: boolean): void {
    const { id } = snapshot;
    const { view, ghost } = { view: this.#view, ghost: this.#observer.ghost };
    const name = `${this.#snapshotDirectory}/${snapshotName(id)}`;
    check(
      'M-5',
      isDurableFile(this.#disk, name),
      () => `node ${view.id} calls ${name} durable, a power cut may take it`,
    );
    // One that was received meanwhile has taken its place: the core does not mean this one, or files() will say so.
    if (isOwn && id.endOffset < view.disk.written.start.endOffset) return;
    const content = isOwn
      ? prefixAt(view.disk.written, id.endOffset)
      : ghost.batches.get(id.epoch * 0x1_0000_0000 + id.endOffset);
    if (content === undefined) {
      throw new Violation('S-R13', `node ${view.id} has a snapshot ${id.endOffset}-${id.epoch}, where no batch ends`);
    }
    if (fileOf(view.disk.writtenCatalogue, id) === undefined) keepFile(view.disk, { snapshot, content, salt: 0 });
  }

  /** The files that the core means. */
  files(snapshots: readonly Snapshot[]): SnapshotFile[] {
    return snapshots.map(({ id }) => {
      const file = fileOf(this.#view.disk.files, id);
      if (file !== undefined) return file;
      throw new Violation(
        'S-R13',
        `node ${this.#view.id} means a snapshot up to ${id.endOffset} that it does not have`,
      );
    });
  }

  /** How many of the operations that were not synced when the process ended have reached the disk. */
  #survivors(disk: ModelDisk): number {
    const { synced, pending } = disk;
    const probe = { ...disk, synced: { ...synced, entries: [...synced.entries] }, pending: [...pending] };
    for (let count = 0; count <= pending.length; count++) {
      if (count > 0) syncOldest(probe);
      if (this.#durable.equals(probe)) return count;
    }
    throw new Violation('M-5', `${this.#whatIsDurable()}, which no prefix of the core's operations gives`);
  }

  /** A batch became durable: it makes the next operations so. */
  #catchUp(durable: DurableMetadata): void {
    const { disk, alive } = this.#view;
    // What an old database holds matters no more.
    if (!alive || durable !== this.#durable) return;
    while (!durable.equals(disk)) {
      check('M-5', disk.pending.length > 0, () => `${this.#whatIsDurable()}, and the core asked for something else`);
      observeSync(this.#observer, this.#view);
    }
  }

  #whatIsDurable(): string {
    return `the database of node ${this.#view.id} holds ${this.#durable.describe()}`;
  }
}

/** Whether a power cut now would leave the file as it is. */
function isDurableFile(disk: SimDisk, path: string): boolean {
  let node: FileNode | DirectoryNode | undefined = disk.tree.root;
  for (const name of path.split('/').filter((part) => part !== '')) {
    node = node instanceof DirectoryNode ? node.durable.get(name) : undefined;
  }
  return node instanceof FileNode && node.isSettled;
}
