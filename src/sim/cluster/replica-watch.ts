// The god's eye over all replicas (safety.md 6): sees after each event what the living partitions show, and on the disks what logs hold,
// and tells the truth of each partition (src/check/partition-truth.ts). Costs what changes: logs are never read again.
import type { Epoch, Ms, NodeId, Offset } from '../../base/ids.ts';
import type { Uuid } from '../../base/uuid.ts';
import type { AppendHistory } from '../../check/appends.ts';
import type { TailLoss } from '../../check/history.ts';
import type { MetadataState, PartitionFacts } from '../../check/metadata-state.ts';
import { isEqual, PartitionTruth } from '../../check/partition-truth.ts';
import type { LossReport, ReplicaCut } from '../../check/replica-cuts.ts';
import { checkAnnounced, checkCarriedOut } from '../../check/replica-cuts.ts';
import type { Violation } from '../../check/violation.ts';
import type { SimDisk } from '../disk/sim-disk.ts';
import { KEPT } from './kept-notes.ts';
import type { ViewedBatch } from './log-view.ts';
import { isDurable, LogView } from './log-view.ts';

/** What the ghost reads of a living partition; src/replica/partition.ts is one. */
export interface LivePartition {
  readonly topic: string;
  readonly topicId: Uuid;
  readonly partition: number;
  readonly leaderEpoch: Epoch;
  readonly highWatermark: Offset;
  /** Set if it leads. */
  readonly leader: object | undefined;
  readonly log: { readonly logEndOffset: Offset };
  /** Calls back, from within, at every move of the high watermark and at the end of leadership. */
  watch(callback: () => void): () => void;
}

/** A running broker. */
export interface LiveBroker {
  readonly id: NodeId;
  /** e.g. `broker4#2`. */
  readonly life: string;
  readonly disk: SimDisk;
  readonly partitions: Iterable<LivePartition>;
}

/** A committed record as far as it matters here; what `decodeRecords` gives fits. */
export interface WatchedRecord {
  readonly kind?:
    | { readonly $case: 'registerBroker'; readonly registerBroker: { readonly brokerId: NodeId } }
    | { readonly $case: 'partition'; readonly partition: Place & { readonly replicas: readonly NodeId[] } }
    | { readonly $case: 'partitionChange'; readonly partitionChange: Place }
    | { readonly $case: 'uncleanElection'; readonly uncleanElection: Place & { readonly newLeaderEpoch: Epoch } }
    | { readonly $case: 'replicaLoss'; readonly replicaLoss: LossReport }
    | { readonly $case: 'removeTopic'; readonly removeTopic: { readonly topicId: Uuid } }
    | { readonly $case: string }
    | undefined;
}

interface Place {
  readonly topicId: Uuid;
  readonly partition: number;
}

/** What was seen last of a living partition. */
interface Seen {
  readonly replica: Replica;
  leaderEpoch: Epoch;
  leads: boolean;
  highWatermark: Offset;
  logEndOffset: Offset;
}

interface Replica {
  readonly brokerId: NodeId;
  readonly at: Watched;
  view: LogView;
}

interface Watched {
  readonly topic: string;
  readonly topicId: Uuid;
  readonly partition: number;
  readonly truth: PartitionTruth<ViewedBatch>;
  readonly replicas: Map<NodeId, Replica>;
  /** Of its leaders, by epoch. */
  readonly highWatermarks: Map<Epoch, Offset>;
}

export interface ReplicaWatchHooks {
  readonly metadata: MetadataState;
  /** `sync` or `async`, where the topic does not say. */
  readonly flushMode: string;
  readonly dataDirectory: string;
  now(): Ms;
  count(what: string): void;
  happened(brokerId: NodeId, moment: string): void;
  /** A property does not hold. */
  failed(violation: Violation): void;
}

export class ReplicaWatch {
  readonly appends: AppendHistory;
  readonly cuts: ReplicaCut[] = [];
  readonly reports: LossReport[] = [];
  readonly #hooks: ReplicaWatchHooks;
  readonly #partitions = new Map<string, Watched>();
  /** The newest partition of a name. */
  readonly #named = new Map<string, Watched>();
  readonly #seen = new WeakMap<LivePartition, Seen>();
  readonly #losses: TailLoss[] = [];
  readonly #silent: TailLoss[] = [];
  /** Brokers that something happened to after which their replica of the partition need not vouch for its log. */
  readonly #shaken = new Map<string, Set<NodeId>>();
  /** Those that have not registered since. */
  readonly #unheard = new Set<NodeId>();
  /** Those that have opened no log since they registered: their disks may not say yet that they did. */
  readonly #unnoted = new Set<NodeId>();
  /** How many reports there were when brokers that something happened to registered again. */
  readonly #reportsBefore = new Map<NodeId, number>();

  constructor(hooks: ReplicaWatchHooks, appends: AppendHistory) {
    this.#hooks = hooks;
    this.appends = appends;
  }

  /** All partitions that ever were, and are not deleted. */
  *partitions(): Generator<{
    readonly topicId: Uuid;
    readonly topic: string;
    readonly partition: number;
    readonly truth: PartitionTruth<ViewedBatch>;
  }> {
    yield* this.#partitions.values();
  }

  /** S-C1: the end of all that was ever committed in the partition of that name. */
  highestOf(topic: string, partition: number): Offset {
    return this.#named.get(`${topic}-${partition}`)?.truth.highest ?? 0;
  }

  /** Committed records that are gone, as a reason allows. */
  losses(): readonly TailLoss[] {
    return this.#losses;
  }

  /** Those of them that no ledger can know of: no replica had them any more, or a crash may have come before the word of it. */
  silentLosses(): readonly TailLoss[] {
    return this.#silent;
  }

  // ---- living partitions ----

  /** To be called after every event, for every broker that runs. */
  look(broker: LiveBroker): void {
    for (const partition of broker.partitions) {
      if (this.#unnoted.size > 0) this.#unnoted.delete(broker.id);
      if (partition.topic.startsWith(KEPT)) continue;
      const seen = this.#seen.get(partition);
      if (seen === undefined) this.#begin(broker, partition);
      else this.#lookAt(broker, partition, seen);
    }
  }

  #lookAt(broker: LiveBroker, partition: LivePartition, seen: Seen): void {
    const isSame =
      seen.logEndOffset === partition.log.logEndOffset &&
      seen.highWatermark === partition.highWatermark &&
      seen.leaderEpoch === partition.leaderEpoch &&
      seen.leads === (partition.leader !== undefined);
    if (!isSame) this.#changed(broker, partition, seen);
  }

  #begin(broker: LiveBroker, partition: LivePartition): void {
    const watched = this.#watched(partition);
    const path = `${this.#hooks.dataDirectory}/${partition.topic}-${partition.partition}`;
    const view = new LogView(broker.disk, path);
    const replica: Replica = watched.replicas.get(broker.id) ?? { brokerId: broker.id, at: watched, view };
    replica.view = view;
    watched.replicas.set(broker.id, replica);
    const { logEndOffset } = partition.log;
    const seen: Seen = { replica, leaderEpoch: -1, leads: false, highWatermark: -1, logEndOffset };
    this.#seen.set(partition, seen);
    this.#changed(broker, partition, seen);
    // A leadership may begin, commit and end within one event.
    partition.watch(() => this.#lookAt(broker, partition, seen));
  }

  #watched({ topic, topicId, partition }: LivePartition): Watched {
    const key = `${topicId}-${partition}`;
    let watched = this.#partitions.get(key);
    if (watched === undefined) {
      const truth = new PartitionTruth<ViewedBatch>(`${topic}-${partition}`);
      watched = { topic, topicId, partition, truth, replicas: new Map(), highWatermarks: new Map() };
      this.#partitions.set(key, watched);
      this.#named.set(`${topic}-${partition}`, watched);
    }
    return watched;
  }

  #changed(broker: LiveBroker, partition: LivePartition, seen: Seen): void {
    const { replica } = seen;
    const { logEndOffset } = partition.log;
    const leads = partition.leader !== undefined;
    const began = leads && (!seen.leads || seen.leaderEpoch !== partition.leaderEpoch);
    if (logEndOffset < seen.logEndOffset) this.#cut(partition, seen);
    this.#follow(replica, leads ? broker.life : undefined, leads ? partition.leaderEpoch : -1);
    seen.logEndOffset = logEndOffset;
    seen.leaderEpoch = partition.leaderEpoch;
    seen.leads = leads;
    if (began) this.#beganToLead(broker, partition, replica);
    if (partition.highWatermark !== seen.highWatermark) this.#moved(partition, seen);
    seen.highWatermark = partition.highWatermark;
  }

  /** S-D3, S-D4, S-M3. `life`: of the leader of `epoch`, where it is one. */
  #follow(replica: Replica, life?: string, epoch: Epoch = -1): void {
    const { view, at, brokerId } = replica;
    const known = view.batches.length;
    const gone = view.follow();
    if (gone.length > 0) this.#must(at.truth.removed(brokerId, gone, this.#logOf(replica)));
    for (let i = known - gone.length; i < view.batches.length; i++) {
      const { baseOffset, leaderEpoch, crc } = view.batches[i] as ViewedBatch;
      const appender = leaderEpoch === epoch ? life : undefined;
      const place = { topic: `${at.topic}/${at.topicId}`, partition: at.partition };
      this.#must(this.appends.see(appender, { ...place, baseOffset, leaderEpoch, crc }));
    }
  }

  #cut(partition: LivePartition, seen: Seen): void {
    const { replica, highWatermark } = seen;
    const { at, view, brokerId } = replica;
    const gone = view.batches.filter(({ nextOffset }) => nextOffset > partition.log.logEndOffset);
    const epochs = new Set(gone.map(({ leaderEpoch }) => leaderEpoch));
    this.#hooks.happened(brokerId, 'replica-cut');
    if (epochs.size > 1) this.#hooks.count('replica cut more than one epoch');
    const cut: ReplicaCut = {
      topicId: at.topicId,
      partition: at.partition,
      brokerId,
      leaderEpoch: partition.leaderEpoch,
      fromOffset: partition.log.logEndOffset,
      toOffset: seen.logEndOffset,
      highWatermark,
    };
    this.cuts.push(cut);
    this.#must(at.truth.cuts(cut.fromOffset, this.#logOf(replica)));
    if (highWatermark > cut.fromOffset) this.#hooks.count('replica cut below its high watermark');
    this.#must(checkAnnounced(cut, this.reports));
  }

  #beganToLead(broker: LiveBroker, partition: LivePartition, replica: Replica): void {
    const { truth, highWatermarks } = replica.at;
    const { leaderEpoch } = partition;
    const log = this.#logOf(replica);
    const wasUndecided = truth.isUndecided;
    const losses = truth.losses.length;
    if (partition.highWatermark < truth.endOffset) this.#hooks.count('new leader with a lower high watermark');
    this.#must(truth.begins(broker.life, leaderEpoch, log));
    this.#hooks.happened(broker.id, 'leader-began');
    this.#noteLosses(replica.at, losses);
    if (wasUndecided && !truth.isUndecided) {
      this.#hooks.count(truth.losses.length > losses ? 'unclean leader with loss' : 'unclean leader without loss');
    }
    highWatermarks.set(leaderEpoch, Math.max(partition.highWatermark, highWatermarks.get(leaderEpoch) ?? 0));
    // A state that came late names a leader that others have replaced.
    const facts = this.#factsOf(replica.at);
    if (facts !== undefined && leaderEpoch >= facts.leaderEpoch) {
      this.#must(truth.mustHold(log, broker.id, `leader in epoch ${leaderEpoch}`));
    }
  }

  #moved(partition: LivePartition, { replica, highWatermark: before, leads, leaderEpoch }: Seen): void {
    const { at, brokerId } = replica;
    const { highWatermark } = partition;
    if (!leads) {
      if (highWatermark > at.truth.highest) this.#tooHigh(at, brokerId, highWatermark);
      // A replica that starts again knows what it knew, which an unclean election may have made void.
      else if (before >= 0 && highWatermark > before)
        this.#must(at.truth.heard(leaderEpoch, highWatermark, this.#logOf(replica)));
      return;
    }
    const known = at.highWatermarks.get(leaderEpoch) ?? 0;
    if (highWatermark < known) {
      const detail = `broker ${brokerId} leads ${at.truth.name} in epoch ${leaderEpoch}, and its high watermark goes from ${known} to ${highWatermark}`;
      this.#must({ property: 'S-D6', detail });
    }
    if (highWatermark <= before) return;
    at.highWatermarks.set(leaderEpoch, highWatermark);
    this.#follow(replica);
    const losses = at.truth.losses.length;
    this.#must(at.truth.advanced(leaderEpoch, highWatermark, this.#logOf(replica)));
    this.#noteLosses(at, losses);
    this.#hooks.happened(brokerId, 'leader-committed');
    this.#checkMembers(at, 'at a move of the high watermark');
  }

  #noteLosses({ truth, topic, topicId, partition, replicas }: Watched, known: number): void {
    const isShaken = this.#shaken.has(`${topicId}-${partition}`);
    for (const { fromOffset, leaderEpoch, batches } of truth.losses.slice(known)) {
      const loss = { topic, partition, atMs: this.#hooks.now(), leaderEpoch: leaderEpoch - 1 };
      this.#losses.push({ ...loss, fromOffset });
      const first = isShaken ? 0 : batches.findIndex((batch) => !isAnywhere(batch, replicas.values()));
      const silent = batches[first];
      if (silent !== undefined) this.#silent.push({ ...loss, fromOffset: silent.baseOffset });
    }
  }

  #tooHigh({ truth, topic }: Watched, brokerId: NodeId, highWatermark: Offset): void {
    if (topic === '') return;
    const detail = `broker ${brokerId} follows ${truth.name} with the high watermark ${highWatermark}, committed is what is below ${truth.highest}`;
    this.#must({ property: 'S-D6', detail });
  }

  #logOf({ brokerId, view, at }: Replica) {
    return { brokerId, batches: view.batches, counts: this.#isSync(at) ? isDurable : always };
  }

  #isSync({ topic }: Watched): boolean {
    return (this.#hooks.metadata.topicConfig(topic, 'log.flush.mode') ?? this.#hooks.flushMode) === 'sync';
  }

  // ---- crashes ----

  /** The life of this broker is over: what it left in its logs is there to see. */
  ended(brokerId: NodeId): void {
    for (const { replicas } of this.#partitions.values()) {
      const replica = replicas.get(brokerId);
      if (replica === undefined) continue;
      this.#follow(replica);
    }
  }

  /** After its end the disk has lost what was not synced, or was replaced by this one. */
  crashed(brokerId: NodeId, disk: SimDisk, how: 'power' | 'disk'): void {
    const mine = [...this.#partitions.values()].filter(({ replicas }) => replicas.has(brokerId));
    // The broker counts as a whole.
    const mayLose = how === 'disk' || this.#hooks.flushMode !== 'sync' || mine.some((at) => !this.#isSync(at));
    if (mayLose) this.shaken(brokerId);
    for (const at of mine) {
      const replica = at.replicas.get(brokerId) as Replica;
      const gone = how === 'disk' ? replica.view.batches : replica.view.refresh();
      if (how === 'disk') replica.view = new LogView(disk, 'nowhere');
      // Others may have committed what it was only fetching: nobody counts on that before it is flushed here (D-3.9, D-12). And who lost
      // its disk may still be in the ISR, until its next registration.
      const facts = this.#factsOf(at);
      const isMember =
        facts !== undefined && [...facts.isr, ...facts.elr].includes(brokerId) && !at.truth.isLossy(brokerId);
      if (!at.truth.crashed(brokerId, gone, this.#logOf(replica))) continue;
      this.#hooks.count('committed records lost at a replica');
      if (how === 'disk' || !isMember || !this.#isSync(at)) continue;
      const detail = `a power cut took committed records of ${at.truth.name} from broker ${brokerId}, which flushes before it acknowledges`;
      this.#must({ property: 'S-D1', detail });
    }
  }

  /** Something is wrong with its disk. */
  shaken(brokerId: NodeId): void {
    this.#unheard.add(brokerId);
    this.#shakeAll(brokerId);
  }

  #shakeAll(brokerId: NodeId): void {
    for (const { topicId, partitions } of this.#hooks.metadata.topics.values()) {
      for (const [partition, { state }] of partitions.entries()) {
        if (state.replicas.includes(brokerId)) this.#shake(`${topicId}-${partition}`, brokerId);
      }
    }
  }

  #shake(key: string, brokerId: NodeId): void {
    this.#shaken.set(key, (this.#shaken.get(key) ?? new Set()).add(brokerId));
  }

  /** Whether it is explained that nobody may lead the partition: who led it last, or if that is not known anybody, was shaken. */
  mayBeOrphaned(topicId: Uuid, partition: number): boolean {
    const shaken = this.#shaken.get(`${topicId}-${partition}`);
    const last = this.#hooks.metadata.topics.get(topicId)?.partitions[partition]?.state.lastKnownLeader ?? -1;
    return last < 0 ? shaken !== undefined : shaken?.has(last) === true;
  }

  /** Whether every partition would keep a replica that may lead and has all that is committed, without this broker. */
  maySpare(brokerId: NodeId): boolean {
    const { metadata } = this.#hooks;
    return [...metadata.isrOf(brokerId), ...metadata.elrOf(brokerId)].every(({ topic, partition, state }) => {
      const truth = this.#partitions.get(`${topic.topicId}-${partition}`)?.truth;
      const others = [...state.isr, ...state.elr].filter((id) => id !== brokerId && truth?.isLossy(id) !== true);
      return others.length > 0 && truth?.isUndecided !== true;
    });
  }

  /**
   * S-D8: when all replicas are back, what they said that they cut is what they cut. After the word of it a crash may have taken the
   * records before the replica did; who said it after such a crash, and lived on, has done it.
   */
  atEnd(): Violation | undefined {
    const crashed = ({ topicId, partition, brokerId }: LossReport, index: number): boolean =>
      !this.#partitions.has(`${topicId}-${partition}`) ||
      this.#unheard.has(brokerId) ||
      index < (this.#reportsBefore.get(brokerId) ?? 0);
    return checkCarriedOut(this.cuts, this.reports, crashed);
  }

  // ---- committed metadata ----

  /** The next committed batch, after the state took it in. */
  applied(records: readonly WatchedRecord[]): void {
    const touched = new Map<string, Watched>();
    const registered: NodeId[] = [];
    for (const { kind } of records) {
      if (kind === undefined) continue;
      if (isCase(kind, 'registerBroker')) registered.push(kind.registerBroker.brokerId);
      else if (isCase(kind, 'replicaLoss')) this.reports.push(kind.replicaLoss);
      else if (isCase(kind, 'removeTopic')) this.#forget(kind.removeTopic.topicId);
      else if (isCase(kind, 'partition')) {
        const { topicId, partition, replicas } = kind.partition;
        for (const id of replicas) if (this.#unheard.has(id)) this.#shake(`${topicId}-${partition}`, id);
      } else if (isCase(kind, 'uncleanElection')) {
        const { topicId, partition, newLeaderEpoch } = kind.uncleanElection;
        this.#partitions.get(`${topicId}-${partition}`)?.truth.electedUncleanly(newLeaderEpoch);
      } else if (isCase(kind, 'partitionChange')) {
        const key = `${kind.partitionChange.topicId}-${kind.partitionChange.partition}`;
        const watched = this.#partitions.get(key);
        if (watched !== undefined) touched.set(key, watched);
      }
    }
    for (const brokerId of registered) this.#registered(brokerId);
    for (const watched of touched.values()) this.#checkMembers(watched, 'at a change of the partition');
  }

  #registered(brokerId: NodeId): void {
    // C-2.4: the disk vouches for the registration that it has a note of. A life that ends between the two leaves the one before.
    if (this.#unnoted.has(brokerId)) this.#shakeAll(brokerId);
    this.#unnoted.add(brokerId);
    if (this.#unheard.delete(brokerId)) this.#reportsBefore.set(brokerId, this.reports.length);
    for (const at of this.#partitions.values()) {
      if (!at.replicas.has(brokerId)) continue;
      const facts = this.#factsOf(at);
      at.truth.registered(brokerId, facts?.replicas.length === 1);
      this.#checkMembers(at, `after the registration of broker ${brokerId}`);
    }
  }

  #forget(topicId: Uuid): void {
    for (const [key, watched] of this.#partitions) {
      if (watched.topicId === topicId) this.#partitions.delete(key);
    }
  }

  #factsOf({ topicId, partition }: Watched): PartitionFacts | undefined {
    return this.#hooks.metadata.topics.get(topicId)?.partitions[partition]?.state;
  }

  /** S-M11. */
  #checkMembers(at: Watched, when: string): void {
    const facts = this.#factsOf(at);
    if (facts === undefined || at.truth.committed.length === 0) return;
    for (const id of facts.isr) this.#checkMember(at, id, `${when} in the ISR`);
    for (const id of facts.elr) this.#checkMember(at, id, `${when} in the ELR`);
  }

  #checkMember(at: Watched, brokerId: NodeId, why: string): void {
    const replica = at.replicas.get(brokerId);
    if (replica !== undefined) this.#follow(replica);
    this.#must(at.truth.mustHold(replica === undefined ? undefined : this.#logOf(replica), brokerId, why));
  }

  #must(violation: Violation | undefined): void {
    if (violation !== undefined) this.#hooks.failed(violation);
  }
}

function isAnywhere(batch: ViewedBatch, replicas: Iterable<Replica>): boolean {
  for (const { view } of replicas) {
    if (view.batches.some((other) => isEqual(other, batch))) return true;
  }
  return false;
}

function isCase<Kind extends { readonly $case: string }, Case extends string>(
  kind: Kind,
  wanted: Case,
): kind is Extract<Kind, { readonly $case: Case }> {
  return kind.$case === wanted;
}

function always(): boolean {
  return true;
}
