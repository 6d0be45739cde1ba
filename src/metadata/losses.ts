// Questions to the loss ledger (S-D8, from metadata level 3 on). What makes it is in replay-losses.ts.
import type { Epoch, NodeId, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import { LossKind } from '../gen/kvorum/v1/metadata.ts';
import type { MetadataImage } from './image.ts';
import type { PartitionLoss, ReplicaLoss } from './loss-entry.ts';

type Ledger = Pick<MetadataImage, 'losses'>;

const NONE: readonly PartitionLoss[] = [];

/** Those of the partition, oldest first. */
export function lossesOf({ losses }: Ledger, topicId: Uuid, partition: number): readonly PartitionLoss[] {
  return losses.get(topicId)?.get(partition) ?? NONE;
}

/**
 * The new leader epochs of the unclean elections that wait for what this broker says of its replica, oldest first; empty: none does.
 * What it says is for all of those up to its leader epoch. They wait until it says that it has nothing (more) to cut: a report of a cut
 * that is not empty leaves them waiting.
 */
export function awaitedBy(image: Ledger, topicId: Uuid, partition: number, brokerId: NodeId): readonly Epoch[] {
  const entries = lossesOf(image, topicId, partition);
  if (entries.length === 0) return [];
  return entries.filter(({ awaited }) => awaited.includes(brokerId)).map(({ newLeaderEpoch }) => newLeaderEpoch);
}

/** [firstOffset, endOffset); equal: nothing. */
export interface LossRange {
  readonly firstOffset: Offset;
  readonly endOffset: Offset;
}

/** The smallest range that holds both; one that is empty adds nothing. */
export function hullOf(a: LossRange, b: LossRange): LossRange {
  if (b.firstOffset >= b.endOffset) return a;
  if (a.firstOffset >= a.endOffset) return b;
  return { firstOffset: Math.min(a.firstOffset, b.firstOffset), endOffset: Math.max(a.endOffset, b.endOffset) };
}

const NOTHING: LossRange = { firstOffset: 0, endOffset: 0 };

type Told = Pick<ReplicaLoss, 'kind' | 'fromOffset' | 'toOffset' | 'highWatermark'>;

/** What is lost by what the replica says. Nothing by a hole: its leader had those records, and deleted them. */
function rangeLost({ kind, fromOffset, toOffset }: Told): LossRange {
  return kind === LossKind.HOLE || kind === LossKind.GONE ? NOTHING : { firstOffset: fromOffset, endOffset: toOffset };
}

/** The part of it that the replica knew to be committed. */
export function committedLost(told: Told): LossRange {
  const { firstOffset, endOffset } = rangeLost(told);
  return firstOffset < told.highWatermark
    ? { firstOffset, endOffset: Math.min(endOffset, told.highWatermark) }
    : NOTHING;
}

/** What is lost as far as is known, of all replicas together; `part`: {@link rangeLost} or {@link committedLost}. */
export function lostRange({ replicas }: { readonly replicas: readonly Told[] }, part = rangeLost): LossRange {
  return replicas.reduce((sum, told) => hullOf(sum, part(told)), NOTHING);
}

/** Replicas that will never say what they had: no replicas any more, or their log dirs are lost. What only they had is not known. */
export function goneFrom({
  replicas,
}: {
  readonly replicas: readonly Pick<ReplicaLoss, 'kind' | 'brokerId'>[];
}): NodeId[] {
  return replicas.filter(({ kind }) => kind === LossKind.GONE).map(({ brokerId }) => brokerId);
}
