// The loss ledger as records make it (S-D8, C-5.7, D-3.5, D-3.8, D-11.1): see replay.ts. From metadata level 3 on. An unclean election opens
// an entry that waits for every replica; a replica that can never answer is said to be gone, so that no entry looks complete
// that is not. Bounded by counts, not by a clock (C-0.5).
import { Map as ImmutableMap } from 'immutable';
import { assert, must } from '../base/assert.ts';
import type { NodeId, Offset } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import { LOST_DIRECTORY, ZERO_UUID } from '../base/uuid.ts';
import type { PartitionLossRecord, ReplicaLossRecord, UncleanElectionRecord } from '../gen/kvorum/v1/metadata.ts';
import { LossKind } from '../gen/kvorum/v1/metadata.ts';
import type { Draft } from './draft.ts';
import type { PartitionState } from './image.ts';
import { LEDGER_LEVEL } from './level.ts';
import type { PartitionLoss, ReplicaLoss } from './loss-entry.ts';
import { hullOf, lossesOf } from './losses.ts';

/** Entries of one partition. One more, and the oldest complete one goes, or the oldest if none is complete. */
export const MAX_LOSSES_PER_PARTITION = 16;

/** Entries of all partitions. One more, and a tenth goes: the oldest complete ones, then the oldest. */
export const MAX_LOSSES = 20_000;

/** Where an entry belongs, and the record that makes it. */
interface LossPlace {
  readonly topicId: Uuid;
  readonly partition: number;
  readonly offset: Offset;
}

/** C-5.7. Its partition changes with the next record, so that replicas of before are awaited. */
export function openLoss(draft: Draft, record: UncleanElectionRecord, offset: Offset): void {
  if (draft.level < LEDGER_LEVEL) return;
  const { topicId, partition, ...election } = record;
  const state = must(
    partition < 0 ? undefined : draft.topics.get(topicId)?.partitions.get(partition),
    `partition ${partition} of topic ${topicId}, elected for uncleanly,`,
  );
  const entry = { ...election, offset, timestampMs: draft.timestampMs, awaited: [...state.replicas], replicas: [] };
  setLosses(draft, { topicId, partition, offset }, [...lossesOf(draft, topicId, partition), entry]);
}

export function applyReplicaLoss(draft: Draft, record: ReplicaLossRecord, offset: Offset): void {
  const { topicId, partition, ...report } = record;
  assert(draft.topics.has(topicId), () => `a loss is reported of topic ${topicId}, which does not exist`);
  const before = lossesOf(draft, topicId, partition);
  const after = withReport(before, report, { offset, timestampMs: draft.timestampMs });
  if (after !== before) setLosses(draft, { topicId, partition, offset }, after);
}

/**
 * The entries with what the replica says; the same list if that is known already, or is nothing that anybody waits for. It is for all
 * elections up to its leader epoch that wait for the broker: the replica cut nothing before it said this, so that it may be each of
 * them that cost it the range. Else it widens what the replica said before, else it is an entry of its own.
 */
export function withReport(
  entries: readonly PartitionLoss[],
  report: ReplicaLoss,
  at: Pick<PartitionLoss, 'offset' | 'timestampMs'>,
): readonly PartitionLoss[] {
  const { brokerId, leaderEpoch, fromOffset, toOffset } = report;
  let hasPlace = false;
  let changed = false;
  const after = entries.map((entry) => {
    const waits = entry.newLeaderEpoch <= leaderEpoch && entry.awaited.includes(brokerId);
    if (!waits && !isRepetition(entry, report)) return entry;
    hasPlace = true;
    const replicas = withReplica(entry.replicas, report);
    const settles = waits && isLastWord(report);
    if (!settles && replicas === entry.replicas) return entry;
    changed = true;
    return { ...entry, awaited: settles ? without(entry.awaited, brokerId) : entry.awaited, replicas };
  });
  if (hasPlace) return changed ? after : entries;
  return fromOffset < toOffset ? [...entries, ownEntry(report, at)] : entries;
}

/** A follower may have to cut in several steps, and die between them: the last is that it has nothing more to cut. */
function isLastWord({ kind, fromOffset, toOffset }: ReplicaLoss): boolean {
  return kind !== LossKind.CUT || fromOffset === toOffset;
}

/** The entry has what the replica said in that leader epoch or a later one. */
function isRepetition({ newLeaderEpoch, replicas }: PartitionLoss, { brokerId, leaderEpoch }: ReplicaLoss): boolean {
  return (
    newLeaderEpoch <= leaderEpoch &&
    replicas.some((its) => its.brokerId === brokerId && its.kind !== LossKind.GONE && leaderEpoch <= its.leaderEpoch)
  );
}

function without(ids: readonly NodeId[], id: NodeId): NodeId[] {
  return ids.filter((its) => its !== id);
}

function ownEntry(report: ReplicaLoss, at: Pick<PartitionLoss, 'offset' | 'timestampMs'>): PartitionLoss {
  const { leaderEpoch } = report;
  return {
    ...at,
    leader: NO_NODE,
    oldLeaderEpoch: leaderEpoch,
    newLeaderEpoch: leaderEpoch,
    oldIsr: [],
    oldElr: [],
    cause: '',
    awaited: [],
    replicas: [report],
  };
}

/** One of a broker and kind. Ranges, high watermarks and leader epochs only grow. */
function withReplica(known: readonly ReplicaLoss[], report: ReplicaLoss): readonly ReplicaLoss[] {
  const index = known.findIndex(({ brokerId, kind }) => brokerId === report.brokerId && kind === report.kind);
  const before = known[index];
  if (before === undefined) return [...known, report];
  const { firstOffset: fromOffset, endOffset: toOffset } = hullOf(rangeOf(before), rangeOf(report));
  const highWatermark = Math.max(before.highWatermark, report.highWatermark);
  const leaderEpoch = Math.max(before.leaderEpoch, report.leaderEpoch);
  const isSame =
    fromOffset === before.fromOffset &&
    toOffset === before.toOffset &&
    highWatermark === before.highWatermark &&
    leaderEpoch === before.leaderEpoch;
  return isSame ? known : known.with(index, { ...before, fromOffset, toOffset, highWatermark, leaderEpoch });
}

function rangeOf({ fromOffset, toOffset }: ReplicaLoss) {
  return { firstOffset: fromOffset, endOffset: toOffset };
}

/**
 * A change of a partition, from `before` to `after`: replicas that left, or whose log dir is lost, will not say what they had. Where the
 * log dir of the last replica is lost that was known to be complete, or might have been, that is a loss of its own.
 */
export function noteGone(draft: Draft, at: LossPlace, before: PartitionState, after: PartitionState): void {
  if (draft.level < LEDGER_LEVEL) return;
  const { topicId, partition, offset } = at;
  const lost = after.directories === before.directories ? [] : lostDirectories(draft, before, after);
  const left = after.replicas === before.replicas ? [] : before.replicas.filter((id) => !after.replicas.includes(id));
  if (lost.length + left.length === 0) return;
  const known = lossesOf(draft, topicId, partition);
  let entries = known;
  for (const id of left) entries = withoutAnswer(entries, id, before.leaderEpoch, 'it is no replica any more');
  for (const { id, reason } of lost) {
    entries = withoutAnswer(entries, id, before.leaderEpoch, reason);
    const complete = [...before.isr, ...before.elr];
    if (complete.some((other) => other !== id)) continue;
    const gone = goneReplica(id, after.leaderEpoch, reason);
    const own = ownEntry(gone, { offset, timestampMs: draft.timestampMs });
    entries = [...entries, { ...own, oldLeaderEpoch: before.leaderEpoch }];
  }
  if (entries !== known) setLosses(draft, at, entries);
}

/** Replicas that are in another log dir than before, as the one before is not there any more. */
function lostDirectories(
  draft: Draft,
  before: PartitionState,
  after: PartitionState,
): { id: NodeId; reason: string }[] {
  return before.replicas.flatMap((id, i) => {
    const old = before.directories[i] ?? ZERO_UUID;
    const now = after.directories[after.replicas.indexOf(id)];
    const broker = draft.brokers.get(id);
    if (now === undefined || now === old || old === ZERO_UUID || broker === undefined) return [];
    if (broker.logDirs.includes(old)) return [];
    return [{ id, reason: old === LOST_DIRECTORY ? 'its log was damaged' : `its log dir ${old} is lost` }];
  });
}

function goneReplica(brokerId: NodeId, leaderEpoch: number, reason: string): ReplicaLoss {
  return { brokerId, leaderEpoch, kind: LossKind.GONE, fromOffset: -1, toOffset: -1, highWatermark: -1, reason };
}

function withoutAnswer(
  entries: readonly PartitionLoss[],
  id: NodeId,
  leaderEpoch: number,
  reason: string,
): readonly PartitionLoss[] {
  if (!entries.some(({ awaited }) => awaited.includes(id))) return entries;
  const gone = goneReplica(id, leaderEpoch, reason);
  return entries.map((entry) =>
    entry.awaited.includes(id)
      ? { ...entry, awaited: without(entry.awaited, id), replicas: [...entry.replicas, gone] }
      : entry,
  );
}

/** As a snapshot has it: those of a partition in their order. */
export function restoreLoss(draft: Draft, record: PartitionLossRecord): void {
  const { election, offset, timestampMs, awaited, replicas } = record;
  const { topicId, partition, ...rest } = must(election, 'what a loss in a snapshot belongs to');
  assert(draft.topics.has(topicId), () => `a snapshot has a loss of topic ${topicId}, which does not exist`);
  const own = replicas.map(({ topicId: _topic, partition: _partition, ...replica }) => replica);
  const entry = { ...rest, offset, timestampMs, awaited, replicas: own };
  const entries = [...lossesOf(draft, topicId, partition), entry];
  const topic: ImmutableMap<number, readonly PartitionLoss[]> = draft.losses.get(topicId) ?? ImmutableMap();
  draft.losses = draft.losses.set(topicId, topic.set(partition, entries));
  draft.lossCount += 1;
}

/** Those of a topic go with it. */
export function dropLosses(draft: Draft, topicId: Uuid): void {
  const topic = draft.losses.get(topicId);
  if (topic === undefined) return;
  for (const entries of topic.values()) draft.lossCount -= entries.length;
  draft.losses = draft.losses.delete(topicId);
}

function setLosses(draft: Draft, { topicId, partition }: LossPlace, entries: readonly PartitionLoss[]): void {
  put(draft, topicId, partition, entries.length > MAX_LOSSES_PER_PARTITION ? bounded(entries) : entries);
  if (draft.lossCount > MAX_LOSSES) forgetOldest(draft);
}

function put(draft: Draft, topicId: Uuid, partition: number, entries: readonly PartitionLoss[]): void {
  const topic: ImmutableMap<number, readonly PartitionLoss[]> = draft.losses.get(topicId) ?? ImmutableMap();
  draft.lossCount += entries.length - (topic.get(partition)?.length ?? 0);
  const after = entries.length === 0 ? topic.delete(partition) : topic.set(partition, entries);
  draft.losses = after.size === 0 ? draft.losses.delete(topicId) : draft.losses.set(topicId, after);
}

/** Never the newest. */
function bounded(entries: readonly PartitionLoss[]): readonly PartitionLoss[] {
  const complete = entries.slice(0, -1).findIndex(({ awaited }) => awaited.length === 0);
  return entries.toSpliced(Math.max(complete, 0), 1);
}

function forgetOldest(draft: Draft): void {
  const all = [...draft.losses].flatMap(([topicId, partitions]) =>
    [...partitions].flatMap(([partition, entries]) => entries.map((entry) => ({ topicId, partition, entry }))),
  );
  const rank = (entry: PartitionLoss): number => (entry.awaited.length === 0 ? 0 : 1);
  const inOrder = all.toSorted((a, b) => rank(a.entry) - rank(b.entry) || a.entry.offset - b.entry.offset);
  for (const { topicId, partition, entry } of inOrder.slice(0, Math.ceil(MAX_LOSSES / 10))) {
    put(
      draft,
      topicId,
      partition,
      lossesOf(draft, topicId, partition).filter((its) => its !== entry),
    );
  }
}
