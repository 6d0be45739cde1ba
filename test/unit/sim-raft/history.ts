// Hand-made histories for the checkers' own tests: says what nodes did, in the words of the rules, without any core.

import type {
  Batch,
  QuorumState,
  RaftRequest,
  RaftResponse,
  ReplicaKey,
  RoleName,
  Snapshot,
  Voter,
} from '../../../src/raft/types.ts';
import type { RaftChecker } from '../../../src/sim/raft/checker.ts';
import { safetyCheckers } from '../../../src/sim/raft/checks/all.ts';
import type { SnapshotFile } from '../../../src/sim/raft/disk.ts';
import { keepFile } from '../../../src/sim/raft/disk.ts';
import type { Ghost, NodeView } from '../../../src/sim/raft/ghost.ts';
import { newGhost } from '../../../src/sim/raft/ghost.ts';
import type { LogPrefix } from '../../../src/sim/raft/log-entry.ts';
import { endOffsetOf, prefixAt, wholeOf } from '../../../src/sim/raft/log-entry.ts';
import type { Observer } from '../../../src/sim/raft/observe.ts';
import {
  newObserver,
  observeAppend,
  observeCatalogue,
  observeClaim,
  observeCommit,
  observeCrash,
  observeEmitted,
  observeLoad,
  observeReleased,
  observeRenounce,
  observeRole,
  observeStarted,
  observeStateWrite,
  observeSync,
  observeTruncate,
} from '../../../src/sim/raft/observe.ts';
import { replicaKey } from '../../../src/sim/raft/replica-key.ts';
import { Violation } from '../../../src/sim/raft/violation.ts';

export interface HistoryOptions {
  readonly voters?: number;
  readonly spares?: number;
  readonly observers?: number;
  /** All of them unless given: a bad history may break more than the property at hand. */
  readonly checkers?: readonly RaftChecker[];
}

export class History {
  readonly ghost: Ghost;
  readonly #observer: Observer;
  #op = 0;

  constructor({ voters = 3, spares = 0, observers = 0, checkers = safetyCheckers() }: HistoryOptions = {}) {
    const pinned = Array.from({ length: voters }, (_, id) => replicaKey(1, id, 0));
    this.ghost = newGhost(
      { voters, spares, observers },
      (id) => replicaKey(1, id, 0),
      (batch) => votersIn(batch) ?? (batch.control ? pinned : undefined),
    );
    this.#observer = newObserver(this.ghost, checkers);
  }

  node(id: number): NodeView {
    return this.ghost.nodes[id] as NodeView;
  }

  key(id: number): ReplicaKey {
    return this.node(id).disk.replica;
  }

  /** Starts every node as unattached in epoch 0. */
  startAll(): this {
    for (const { id } of this.ghost.nodes) this.start(id, 'unattached', 0);
    return this;
  }

  start(id: number, role: RoleName, epoch: number, leaderId = -1): this {
    observeStarted(this.#observer, this.node(id));
    return this.role(id, role, epoch, leaderId);
  }

  role(id: number, role: RoleName, epoch: number, leaderId = -1): this {
    observeRole(this.#observer, this.node(id), { role, epoch, leaderId });
    return this;
  }

  writeState(id: number, leaderEpoch: number, { leader = -1, vote }: { leader?: number; vote?: number } = {}): this {
    const votedKey = vote === undefined ? undefined : this.key(vote);
    const state: QuorumState = { leaderId: leader, leaderEpoch, votedKey };
    observeStateWrite(this.#observer, this.node(id), this.#op++, state);
    return this;
  }

  state(id: number, leaderEpoch: number, who: { leader?: number; vote?: number } = {}): this {
    return this.writeState(id, leaderEpoch, who).sync(id);
  }

  /** Appends batches of one record each; `control` for the first of a log. */
  append(id: number, epoch: number, ...texts: string[]): this {
    const batches: Batch[] = [];
    let baseOffset = endOffsetOf(this.node(id).disk.written);
    for (const text of texts) {
      batches.push({ baseOffset, epoch, control: baseOffset === 0, records: [Buffer.from(text)] });
      baseOffset++;
    }
    observeAppend(this.#observer, this.node(id), this.#op++, batches);
    return this;
  }

  /** The leader `id` appends a voter change: these nodes, on the disks that they have now. */
  changeVoters(id: number, epoch: number, ...voters: number[]): this {
    const keys = voters.map((voter) => this.key(voter));
    const baseOffset = endOffsetOf(this.node(id).disk.written);
    const records = [Buffer.from(JSON.stringify(keys))];
    observeAppend(this.#observer, this.node(id), this.#op++, [{ baseOffset, epoch, control: true, records }]);
    return this;
  }

  /** A complete snapshot file of what `id` holds up to there, on its own disk or on that of `at`. */
  file(id: number, endOffset: number, at = id): SnapshotFile {
    const content = prefixAt(this.node(id).disk.written, endOffset) as LogPrefix;
    const snapshot: Snapshot = {
      id: { endOffset, epoch: content.epoch },
      voters: (content.voters ?? []) as readonly Voter[],
      sizeBytes: 1,
    };
    const file = { snapshot, content, salt: 0 };
    keepFile(this.node(at).disk, file);
    return file;
  }

  /** The catalogue becomes these, the log begins at the end of the first. */
  list(id: number, ...files: SnapshotFile[]): this {
    observeCatalogue(this.#observer, this.node(id), this.#op++, files, false);
    return this;
  }

  /** The snapshot takes the place of the log. */
  install(id: number, file: SnapshotFile): this {
    observeCatalogue(this.#observer, this.node(id), this.#op++, [file], true);
    return this;
  }

  load(id: number, file: SnapshotFile): this {
    observeLoad(this.#observer, this.node(id), file);
    return this;
  }

  /** `id` takes over what `from` has beyond its own end. */
  copy(id: number, from: number): this {
    const own = wholeOf(this.node(id).disk.written);
    const batches = this.node(from).disk.written.entries.filter((entry) => entry.ordinal > own.ordinal);
    return this.appendBatches(
      id,
      batches.map((entry) => entry.batch),
    );
  }

  appendBatches(id: number, batches: readonly Batch[]): this {
    observeAppend(this.#observer, this.node(id), this.#op++, batches);
    return this;
  }

  truncate(id: number, endOffset: number): this {
    observeTruncate(this.#observer, this.node(id), this.#op++, endOffset);
    return this;
  }

  sync(id: number): this {
    while (this.node(id).disk.pending.length > 0) observeSync(this.#observer, this.node(id));
    return this;
  }

  commit(id: number, highWatermark: number): this {
    const { disk, committed } = this.node(id);
    const batches = disk.written.entries.filter(
      (entry) => entry.ordinal > committed.ordinal && entry.endOffset <= highWatermark,
    );
    return this.commitBatches(
      id,
      highWatermark,
      batches.map((entry) => entry.batch),
    );
  }

  commitBatches(id: number, highWatermark: number, batches: readonly Batch[]): this {
    observeCommit(this.#observer, this.node(id), highWatermark, batches);
    return this;
  }

  apply(id: number, endOffset: number): this {
    this.node(id).appliedEndOffset = endOffset;
    return this;
  }

  claim(id: number, epoch: number): this {
    observeClaim(this.#observer, this.node(id), epoch);
    return this;
  }

  renounce(id: number, epoch: number): this {
    observeRenounce(this.#observer, this.node(id), epoch);
    return this;
  }

  /** A message leaves at once. */
  send(id: number, message: RaftRequest | RaftResponse, request?: RaftRequest): this {
    observeEmitted(this.#observer, this.node(id), message, undefined);
    observeReleased(this.#observer, this.node(id), message, request);
    return this;
  }

  crash(id: number, surviving = 0, newDisk?: ReplicaKey): this {
    observeCrash(this.#observer, this.node(id), surviving, newDisk);
    return this;
  }

  /** A lawful election of `id` by itself and `voters`, up to its first batch; everybody else hears nothing. */
  elect(id: number, epoch: number, ...voters: number[]): this {
    if (this.node(id).epoch < epoch - 1) this.state(id, epoch - 1).role(id, 'unattached', epoch - 1);
    if (this.node(id).role !== 'prospective') this.role(id, 'prospective', epoch - 1);
    this.state(id, epoch, { vote: id }).role(id, 'candidate', epoch);
    for (const voter of voters) this.state(voter, epoch, { vote: id }).role(voter, 'unattached', epoch);
    return this.state(id, epoch, { leader: id, vote: id })
      .role(id, 'leader', epoch, id)
      .append(id, epoch, `leader ${epoch}`);
  }

  /** `id` follows the leader of the epoch and copies its log, durably. */
  follow(id: number, leader: number): this {
    const { epoch, disk } = this.node(leader);
    const vote = this.node(id).disk.writtenState;
    const kept = vote?.leaderEpoch === epoch ? vote.votedKey?.id : undefined;
    this.state(id, epoch, kept === undefined ? { leader } : { leader, vote: kept }).role(id, 'follower', epoch, leader);
    const behind = endOffsetOf(disk.written) > endOffsetOf(this.node(id).disk.written);
    return behind ? this.copy(id, leader).sync(id) : this;
  }
}

/** The voter set that a change in short form carries. */
function votersIn({ control, records }: Batch): ReplicaKey[] | undefined {
  const text = Buffer.from(records[0] ?? []).toString();
  return control && text.startsWith('[') ? (JSON.parse(text) as ReplicaKey[]) : undefined;
}

/** The property that the history breaks; undefined if none. */
export function violationOf(history: () => unknown): string | undefined {
  try {
    history();
    return undefined;
  } catch (error) {
    if (error instanceof Violation) return error.property;
    throw error;
  }
}
