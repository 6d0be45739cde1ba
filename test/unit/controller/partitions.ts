// Small clusters at metadata level 2 for tests of what is decided about partitions.
import type { NodeId } from '../../../src/base/ids.ts';
import type { MetadataRecord, PartitionRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import type { MetadataImage, PartitionState } from '../../../src/metadata/image.ts';
import { partitionOf } from '../../../src/metadata/image.ts';
import { after, clusterOf, partitionRecord, record, topicRecord, uuid } from '../metadata/fixture.ts';

/** The topic 't' of all that follows. */
export const T = uuid(1);

export const LEVEL_2 = record({ $case: 'metadataLevel', metadataLevel: { level: 2 } });

/** Brokers 1 to 4, unfenced, and topic 't' with these partitions, each with replicas [1, 2, 3] all in sync if not said otherwise. */
export function clusterWith(...partitions: Partial<PartitionRecord>[]): MetadataImage {
  return with2(after(clusterOf(1, 2, 3, 4), LEVEL_2), partitions);
}

/** The same at metadata level 1. */
export function level1With(...partitions: Partial<PartitionRecord>[]): MetadataImage {
  return with2(clusterOf(1, 2, 3, 4), partitions);
}

function with2(image: MetadataImage, partitions: Partial<PartitionRecord>[]): MetadataImage {
  const records = partitions.map((fields, i) => partitionRecord(T, i, fields.replicas ?? [1, 2, 3], fields));
  return after(image, topicRecord('t', T), ...records);
}

export function config(entity: string, key: string, value: string): MetadataRecord {
  const scope = entity === '' ? ConfigScope.BROKER : ConfigScope.TOPIC;
  return record({ $case: 'config', config: { scope, entity, key, value } });
}

export const MIN_ISR_2 = config('t', 'min.insync.replicas', '2');
export const UNCLEAN = config('t', 'unclean.leader.election.enable', 'true');

export function brokerEpochOf(image: MetadataImage, brokerId: NodeId): number {
  return image.brokers.get(brokerId)?.brokerEpoch ?? -1;
}

/** The record that changes a broker's state. */
export function brokerIs(
  image: MetadataImage,
  brokerId: NodeId,
  fields: { fenced?: boolean; inControlledShutdown?: boolean; logDirs?: { directories: string[] } },
): MetadataRecord {
  const brokerEpoch = brokerEpochOf(image, brokerId);
  return record({ $case: 'brokerChange', brokerChange: { brokerId, brokerEpoch, cause: '', ...fields } });
}

export function fenced(image: MetadataImage, ...brokerIds: NodeId[]): MetadataImage {
  return after(image, ...brokerIds.map((id) => brokerIs(image, id, { fenced: true })));
}

export function stateOf(image: MetadataImage, partition = 0): PartitionState {
  const state = partitionOf(image, T, partition);
  if (state === undefined) throw new Error(`no partition ${partition}`);
  return state;
}

/** e.g. `1 of 1,2`, with ELR and last known leader where there are any: `none of  | 3 | last 1`. */
export function summary(image: MetadataImage, partition = 0): string {
  const { leader, isr, elr, lastKnownLeader, recovering } = stateOf(image, partition);
  const parts = [`${leader === -1 ? 'none' : leader} of ${isr.join()}`];
  if (elr.length > 0) parts.push(`ELR ${elr.join()}`);
  if (lastKnownLeader !== -1) parts.push(`last ${lastKnownLeader}`);
  if (recovering) parts.push('recovering');
  return parts.join(', ');
}

export function kindsOf(records: readonly MetadataRecord[]): string[] {
  return records.map(({ kind }) => kind?.$case ?? '');
}
