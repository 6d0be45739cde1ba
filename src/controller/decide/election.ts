// Who leads (C-5.1 to C-5.4), and what happens to a broker's partitions when it leaves or returns. One rule for every number
// of replicas; without ELR, and without unclean election.
import type { NodeId } from '../../base/ids.ts';
import { NO_NODE } from '../../base/ids.ts';
import type { Uuid } from '../../base/uuid.ts';
import { ZERO_UUID } from '../../base/uuid.ts';
import type { MetadataRecord } from '../../gen/kvorum/v1/metadata.ts';
import type { MetadataImage, PartitionState } from '../../metadata/image.ts';
import { isActive, topicsInOrder } from '../../metadata/image.ts';
import { metadataRecord } from '../../metadata/record.ts';

/** Whether the broker may lead this partition or be in its ISR (C-5.1). */
export type Acceptable = (brokerId: NodeId, state: PartitionState) => boolean;

/**
 * C-5.1: active, and with the disk that holds the replica. `leaving` is not acceptable whatever the image says; `joining` is
 * unfenced by the operation itself.
 */
export function acceptableIn(
  image: MetadataImage,
  operation: { readonly leaving?: NodeId; readonly joining?: NodeId },
): Acceptable {
  return (brokerId, state) => {
    if (brokerId === operation.leaving) return false;
    const registered = image.brokers.get(brokerId);
    const broker =
      registered !== undefined && brokerId === operation.joining ? { ...registered, fenced: false } : registered;
    if (!isActive(broker)) return false;
    const directory = state.directories[state.replicas.indexOf(brokerId)];
    return directory === ZERO_UUID || (directory !== undefined && broker.logDirs.includes(directory));
  };
}

/** C-5.2, C-5.3 for the election type ONLINE: the leader of the partition with this ISR, -1 if there is none. */
export function electOnline(state: PartitionState, targetIsr: readonly NodeId[], acceptable: Acceptable): NodeId {
  const valid = (id: NodeId): boolean => targetIsr.includes(id) && acceptable(id, state);
  if (valid(state.leader)) return state.leader;
  return state.replicas.find(valid) ?? NO_NODE;
}

/** The record that gives the partition this ISR and elects; undefined if nothing changes. */
function changePartition(
  at: { readonly topicId: Uuid; readonly partition: number },
  state: PartitionState,
  targetIsr: readonly NodeId[],
  acceptable: Acceptable,
  cause: string,
): MetadataRecord | undefined {
  const elected = electOnline(state, targetIsr, acceptable);
  const leader = elected === state.leader ? undefined : elected; // C-4.2: set, and so the epoch bumped, only if it moves
  // C-5.4: the last member stays, without leading.
  const shrinks = targetIsr.length > 0 && targetIsr.length !== state.isr.length;
  if (leader === undefined && !shrinks) return undefined;
  const isr = shrinks ? { replicas: [...targetIsr] } : undefined;
  return metadataRecord({ $case: 'partitionChange', partitionChange: { ...at, leader, isr, cause } });
}

/** Removes the broker from every ISR and leadership. */
export function brokerLeaves(image: MetadataImage, brokerId: NodeId, cause: string): MetadataRecord[] {
  const acceptable = acceptableIn(image, { leaving: brokerId });
  return changeAll(image, acceptable, cause, (state) =>
    state.isr.includes(brokerId) ? state.isr.filter((id) => id !== brokerId) : undefined,
  );
}

/** C-3.6: the broker is unfenced by this operation; partitions without a leader get one where that makes it possible. */
export function brokerReturns(image: MetadataImage, brokerId: NodeId, cause: string): MetadataRecord[] {
  const acceptable = acceptableIn(image, { joining: brokerId });
  return changeAll(image, acceptable, cause, (state) => (state.leader === NO_NODE ? state.isr : undefined));
}

/** `targetIsr` undefined: the partition is not concerned. */
function changeAll(
  image: MetadataImage,
  acceptable: Acceptable,
  cause: string,
  targetIsr: (state: PartitionState) => readonly NodeId[] | undefined,
): MetadataRecord[] {
  const records: MetadataRecord[] = [];
  for (const { topicId, partitions } of topicsInOrder(image)) {
    partitions.forEach((state, partition) => {
      const target = targetIsr(state);
      if (target === undefined) return;
      const record = changePartition({ topicId, partition }, state, target, acceptable, cause);
      if (record !== undefined) records.push(record);
    });
  }
  return records;
}

/** Whether the broker leads any partition. */
export function hasLeaderships(image: MetadataImage, brokerId: NodeId): boolean {
  return image.topics.some(({ partitions }) => partitions.some(({ leader }) => leader === brokerId));
}
