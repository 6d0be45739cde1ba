// New partitions of new and of present topics (C-7.2, C-7.4): where their replicas go, by placement or by hand, and their records.
import type { NodeId } from '../../base/ids.ts';
import type { Uuid } from '../../base/uuid.ts';
import type { ItemError, ReplicaAssignment } from '../../gen/kvorum/v1/admin.ts';
import type { MetadataRecord } from '../../gen/kvorum/v1/metadata.ts';
import { itemError } from '../../metadata/errors.ts';
import { metadataRecord } from '../../metadata/record.ts';
import type { Assignment, Placement } from './placement.ts';

/** What default.replication.factor=-1 stands for at most. */
const MOST_BY_DEFAULT = 3;

/** Replicas of a topic that is created without a number, by default.replication.factor. -1: as many as there are brokers, at most 3. */
export function defaultReplicas({ brokerCount }: Placement, defaultReplicationFactor: number): number {
  if (defaultReplicationFactor !== -1) return defaultReplicationFactor;
  return Math.max(1, Math.min(brokerCount, MOST_BY_DEFAULT));
}

/** Why partitions cannot have so many replicas, undefined if they can. */
export function checkReplicationFactor(placement: Placement, wanted: number): ItemError | undefined {
  const { brokerCount, activeCount } = placement;
  const problem =
    wanted < 1
      ? 'use at least 1, or -1 for the default'
      : wanted > brokerCount && brokerCount > 0
        ? `there are ${brokerCount} brokers, of which ${activeCount} are active; use at most ${brokerCount}, or start more brokers`
        : undefined;
  if (problem !== undefined) {
    return itemError('INVALID_REPLICATION_FACTOR', `replication factor ${wanted} is not possible: ${problem}`);
  }
  if (activeCount > 0) return undefined;
  return itemError('INVALID_REPLICATION_FACTOR', 'no broker can take a replica: none is registered and unfenced');
}

/** The assignments for partitions `first`, `first`+1, … in order, or what is wrong with them; `replicationFactor` -1: any. */
export function checkAssignments(
  placement: Placement,
  assignments: readonly ReplicaAssignment[],
  { first, replicationFactor }: { readonly first: number; readonly replicationFactor: number },
): Assignment[] | ItemError {
  const sorted = [...assignments].toSorted((a, b) => a.partition - b.partition);
  const factor = replicationFactor === -1 ? (sorted[0]?.replicas.length ?? 0) : replicationFactor;
  const last = first + assignments.length - 1;
  for (const [i, { partition, replicas }] of sorted.entries()) {
    const problem =
      partition !== first + i
        ? `partitions must be assigned once each, from ${first} to ${last}`
        : (replicasProblem(placement, partition, replicas) ??
          (replicas.length === factor
            ? undefined
            : `partition ${partition} is assigned ${replicas.length} replicas, and others of the topic have ${factor}`));
    if (problem !== undefined) return itemError('INVALID_REPLICA_ASSIGNMENT', problem);
  }
  return sorted.map(({ replicas }) => replicas);
}

function replicasProblem(placement: Placement, partition: number, replicas: readonly NodeId[]): string | undefined {
  if (replicas.length === 0) return `partition ${partition} is assigned to no broker`;
  const twice = replicas.find((id, i) => replicas.indexOf(id) !== i);
  if (twice !== undefined) return `partition ${partition} is assigned to broker ${twice} twice`;
  const unknown = replicas.find((id) => !placement.isRegistered(id));
  if (unknown !== undefined) return `partition ${partition} is assigned to broker ${unknown}, which is not registered`;
  if (replicas.some((id) => placement.isActive(id))) return undefined;
  return replicas.length === 1
    ? `partition ${partition} is assigned to broker ${replicas[0]}, which is fenced or about to stop`
    : `partition ${partition} is assigned to brokers ${replicas.join(', ')}, which are all fenced or about to stop`;
}

/** C-7.2, B29: the ISR consists of the active brokers among the replicas, the leader is the first of them, both epochs are 0. */
export function newPartition(
  placement: Placement,
  at: { readonly topicId: Uuid; readonly partition: number },
  replicas: Assignment,
): MetadataRecord {
  const isr = replicas.filter((id) => placement.isActive(id));
  return metadataRecord({
    $case: 'partition',
    partition: {
      topicId: at.topicId,
      partition: at.partition,
      replicas: [...replicas],
      isr,
      leader: isr[0] ?? -1,
      leaderEpoch: 0,
      partitionEpoch: 0,
      directories: replicas.map((id) => placement.directoryOf(id)),
      elr: [],
      recovering: false,
      adding: [],
      removing: [],
    },
  });
}
