// Judges what recorded cores did by the checkers of the simulation (S-R1..S-R17, M-5): the ghost state is built from what the
// cores heard and answered. Some properties need every voter's recording: without them those are left out, and said so.
import type { Epoch } from '../../base/ids.ts';
import { NO_NODE } from '../../base/ids.ts';
import { ZERO_UUID } from '../../base/uuid.ts';
import { votersOf } from '../../raft/log.ts';
import type { DurableState, RaftConfig, RaftEffect, RaftEvent, Snapshot, SnapshotId } from '../../raft/types.ts';
import { safetyCheckers } from '../raft/checks/all.ts';
import { durableMajority } from '../raft/checks/commit-rules.ts';
import { createdByLeader } from '../raft/checks/created-by-leader.ts';
import { electionSafety } from '../raft/checks/election-safety.ts';
import { snapshots } from '../raft/checks/snapshots.ts';
import { stateMachineSafety } from '../raft/checks/state-machine-safety.ts';
import { voterChanges } from '../raft/checks/voter-changes.ts';
import type { SnapshotFile } from '../raft/disk.ts';
import { fileOf, keepFile } from '../raft/disk.ts';
import type { Ghost, NodeView } from '../raft/ghost.ts';
import { newGhost, sameReplica } from '../raft/ghost.ts';
import type { LogEntry } from '../raft/log-entry.ts';
import { isEntry, prefixAt } from '../raft/log-entry.ts';
import type { Observer } from '../raft/observe.ts';
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
} from '../raft/observe.ts';
import { check } from '../raft/violation.ts';
import type { MergedStep, Release } from './merge.ts';
import { beginHistory, knownPrefix, recordedDisk, survivorsOf, Untold } from './recorded-disk.ts';

/** What one replica had when its first recording began. */
export interface RecordedBeginning {
  /** Milliseconds since 1970. */
  readonly wallTime: number;
  readonly config: RaftConfig;
  readonly durable: DurableState;
}

/** These look at what others have or did: a node that was not recorded would be taken for one that has and did nothing. */
const NEED_ALL = {
  durableMajority,
  createdByLeader,
  stateMachineSafety,
  voterChanges,
  electionSafety,
  snapshots,
} as const;

export class RecordedRun {
  readonly #ghost: Ghost;
  /** Those that need no other node's recording. */
  readonly #own = safetyCheckers(Object.keys(NEED_ALL) as (keyof typeof NEED_ALL)[]);
  #observer: Observer;
  #unrecorded: string | undefined;

  /** Untold if the logs do not meet. */
  constructor(beginnings: readonly RecordedBeginning[]) {
    const recorded = new Set(beginnings.map(({ config }) => config.replica.id));
    const voters = new Set(beginnings.flatMap(({ config }) => config.voterIds));
    const missing = [...voters].filter((id) => !recorded.has(id)).sort((a, b) => a - b);
    const count = Math.max(...recorded, ...voters) + 1;
    const counts = { voters: count, spares: 0, observers: 0 };
    const ghost = newGhost(counts, (id) => ({ id, directoryId: ZERO_UUID }), votersOf);
    const nodes = ghost.nodes.map((view) => ({
      ...view,
      configuredVoter: voters.has(view.id),
      controller: voters.has(view.id),
    }));
    this.#ghost = { ...ghost, nodes };
    this.#observer = newObserver(this.#ghost, [...this.#own, ...Object.values(NEED_ALL)]);
    if (missing.length > 0) this.forgetOthers(`there is no recording of the voters ${missing.join(', ')}`);
    else if (!beginTogether(beginnings)) this.forgetOthers('the recordings do not begin together');
    this.#beginHistory(beginnings);
    // Elected before anything was recorded.
    for (const { durable } of beginnings) {
      const { leaderId = NO_NODE, leaderEpoch = 0 } = durable.quorumState ?? {};
      const leader = beginnings.find(({ config }) => config.replica.id === leaderId)?.config.replica;
      if (leader !== undefined) this.#ghost.leaders.set(leaderEpoch, leader);
    }
  }

  /** Why some properties are not judged (any more); undefined while all are. */
  get unrecorded(): string | undefined {
    return this.#unrecorded;
  }

  /** From now on without what needs every voter's recording. */
  forgetOthers(why: string): void {
    this.#unrecorded ??= why;
    this.#observer = newObserver(this.#ghost, this.#own);
  }

  /** Throws a Violation; Untold where a recording does not tell enough to go on. */
  take({ life, event, effects, unrecordedSender, releasedBefore, releasedAfter }: MergedStep): void {
    const view = this.#ghost.nodes[life.header.nodeId] as NodeView;
    if (unrecordedSender !== undefined) this.forgetOthers(`a life of node ${unrecordedSender} was not recorded`);
    this.#hear(view, life.header.config, event);
    this.#release(view, releasedBefore);
    for (const effect of effects) this.#see(view, effect);
    this.#release(view, releasedAfter);
  }

  /** The logs from the one that begins first on, and what of them snapshots say is committed. */
  #beginHistory(beginnings: readonly RecordedBeginning[]): void {
    const startOf = ({ durable }: RecordedBeginning): number => durable.snapshots[0]?.id.endOffset ?? 0;
    const inOrder = beginnings.toSorted((a, b) => startOf(a) - startOf(b));
    const first = inOrder[0]?.durable.snapshots[0];
    if (first !== undefined) beginHistory(this.#ghost, first.id, (inOrder[0] as RecordedBeginning).durable);
    for (const { config, durable } of inOrder) recordedDisk(this.#ghost, config.replica, durable);
    const newest = beginnings
      .flatMap(({ durable }) => durable.snapshots.slice(-1))
      .sort((a, b) => b.id.endOffset - a.id.endOffset)[0];
    if (newest === undefined) return;
    // Nobody knows in which epoch it was committed; in none after this one.
    const epoch = Math.max(...beginnings.map(({ durable }) => durable.quorumState?.leaderEpoch ?? 0));
    this.#commit(newest.id, epoch);
  }

  /** What a snapshot holds is committed, whoever did that. */
  #commit(id: SnapshotId, epoch: Epoch): void {
    const committed: LogEntry[] = [];
    let prefix = knownPrefix(this.#ghost, id);
    while (prefix !== undefined && isEntry(prefix) && prefix.ordinal > this.#ghost.committed.length) {
      committed.push(prefix);
      prefix = prefix.previous;
    }
    for (const entry of committed.reverse()) {
      this.#ghost.committed.push(entry);
      this.#ghost.commitEpochs.push(epoch);
    }
  }

  #hear(view: NodeView, config: RaftConfig, event: RaftEvent): void {
    switch (event.type) {
      case 'start':
        return this.#start(view, config, event.durable);
      case 'diskDone':
        while (view.disk.pending.length > 0 && (view.disk.pending[0]?.op ?? 0) <= event.op) {
          observeSync(this.#observer, view);
        }
        return;
      case 'applied':
        view.appliedEndOffset = event.endOffset;
        return;
      case 'snapshotTaken':
      case 'snapshotReceived':
        return this.#keep(view, event.snapshot);
      default:
        return;
    }
  }

  #start(view: NodeView, { replica }: RaftConfig, durable: DurableState): void {
    const survivors = survivorsOf(view.disk, durable);
    const isSame = view.disk.replica.directoryId === replica.directoryId;
    if (view.incarnation > 0 && isSame && survivors === undefined) {
      this.forgetOthers(`a life of node ${replica.id} was not recorded, or not to its end`);
    }
    if (view.incarnation > 0 && !isSame) observeCrash(this.#observer, view, 0, replica);
    else if (view.incarnation > 0 && survivors !== undefined) observeCrash(this.#observer, view, survivors, undefined);
    if (view.incarnation === 0 || !isSame || survivors === undefined) this.#load(view, replica, durable);
    observeStarted(this.#observer, view);
  }

  /** What the disk held is not what the recordings tell of it. */
  #load(view: NodeView, replica: RaftConfig['replica'], durable: DurableState): void {
    view.disk = recordedDisk(this.#ghost, replica, durable);
    const state = durable.quorumState;
    const newest = durable.snapshots.at(-1);
    if (newest !== undefined) this.#commit(newest.id, state?.leaderEpoch ?? newest.id.epoch);
    if (state === undefined) return;
    const op = { kind: 'state', op: -1, state } as const;
    for (const checker of this.#observer.checkers.synced) checker.synced?.(this.#ghost, view, op);
  }

  #keep(view: NodeView, snapshot: Snapshot): void {
    if (fileOf(view.disk.files, snapshot.id) !== undefined) return;
    // A log that has parted from the leader's may have another prefix that ends there.
    const own = prefixAt(view.disk.written, snapshot.id.endOffset);
    const content = own?.epoch === snapshot.id.epoch ? own : knownPrefix(this.#ghost, snapshot.id);
    if (content === undefined) throw new Untold(`no recorded log reaches to snapshot ${snapshot.id.endOffset}`);
    keepFile(view.disk, { snapshot, content, salt: 0 });
  }

  #release(view: NodeView, releases: readonly Release[]): void {
    for (const { message, request } of releases) observeReleased(this.#observer, view, message, request);
  }

  #see(view: NodeView, effect: RaftEffect): void {
    const observer = this.#observer;
    switch (effect.type) {
      case 'writeQuorumState':
        return observeStateWrite(observer, view, effect.op, effect.state);
      case 'append':
        return void observeAppend(observer, view, effect.op, effect.batches);
      case 'truncate':
        return observeTruncate(observer, view, effect.op, effect.endOffset);
      case 'catalogue': {
        const files = effect.snapshots.map((snapshot) => this.#fileOf(view, snapshot));
        return observeCatalogue(observer, view, effect.op, files, effect.clearLog);
      }
      case 'loadSnapshot':
        return observeLoad(observer, view, this.#fileOf(view, effect.snapshot));
      case 'call':
      case 'reply':
        return observeEmitted(observer, view, effect.message, effect.after);
      case 'serveSnapshot':
        return observeEmitted(observer, view, effect.response, effect.after);
      case 'role': {
        const leader = this.#ghost.leaders.get(effect.epoch);
        const isOther = leader !== undefined && !sameReplica(leader, view.disk.replica);
        check('S-R1', effect.role !== 'leader' || !isOther, () => `two nodes lead epoch ${effect.epoch}`);
        return observeRole(observer, view, effect);
      }
      case 'commit':
        return void observeCommit(observer, view, effect.highWatermark, effect.batches);
      case 'claim':
        return observeClaim(observer, view, effect.epoch);
      case 'renounce':
        return observeRenounce(observer, view, effect.epoch);
      case 'voters':
        view.voters = effect.voters;
        return;
      default:
        return;
    }
  }

  #fileOf(view: NodeView, snapshot: Snapshot): SnapshotFile {
    const file = fileOf(view.disk.files, snapshot.id);
    if (file === undefined) throw new Untold(`nothing is recorded of snapshot ${snapshot.id.endOffset}`);
    return file;
  }
}

/** Whether nobody had a part, before its own recording, in what the others' recordings tell of. */
function beginTogether(beginnings: readonly RecordedBeginning[]): boolean {
  const endOf = ({ batches, snapshots }: DurableState): number => {
    const last = batches.at(-1);
    return last === undefined ? (snapshots.at(-1)?.id.endOffset ?? 0) : last.baseOffset + last.records.length;
  };
  const inOrder = beginnings.toSorted((a, b) => a.wallTime - b.wallTime).map(({ durable }) => durable);
  const epochs = new Set(inOrder.map(({ quorumState }) => quorumState?.leaderEpoch ?? 0));
  const ends = inOrder.map(endOf);
  return epochs.size <= 1 && ends.every((end) => end <= (ends[0] ?? 0));
}
