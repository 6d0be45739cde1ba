// Moving a partition to other replicas (C-8, KIP-455): it is started, goes on until those that are added are in sync, which the
// builder of partition changes sees (C-8.2), or is cancelled. Not asked for by anybody yet.
import type { NodeId } from '../../base/ids.ts';
import { NO_NODE } from '../../base/ids.ts';
import type { Uuid } from '../../base/uuid.ts';
import type { MetadataRecord } from '../../gen/kvorum/v1/metadata.ts';
import type { PartitionState } from '../../metadata/image.ts';
import type { ChangeRules, PartitionKey, PartitionTarget } from './partition-change.ts';
import { changePartition, nextPartition } from './partition-change.ts';

/**
 * C-8.1: what is to be until the reassignment is complete. `replicas` begins with the target in its order; what was there before it,
 * or before an earlier reassignment that this one replaces, is `replicas` without `adding`.
 *
 * **[ours]** A replica that an earlier reassignment was adding and this one does not want is in `adding` and in `removing`: it stays as
 * long as the others, since it may be all that the ISR has, and a cancellation gives the first assignment back.
 *
 * @param target different brokers, at least one
 * @param directoryOf where the broker puts a new replica, ZERO_UUID if that is not known
 */
function reassignmentTo(
  state: PartitionState,
  target: readonly NodeId[],
  directoryOf: (brokerId: NodeId) => Uuid,
): PartitionTarget {
  const removing = state.replicas.filter((id) => !target.includes(id));
  const replicas = [...target, ...removing];
  const isOriginal = (id: NodeId): boolean => state.replicas.includes(id) && !state.adding.includes(id);
  return {
    replicas,
    adding: replicas.filter((id) => !isOriginal(id)),
    removing,
    directories: replicas.map((id) => state.directories[state.replicas.indexOf(id)] ?? directoryOf(id)),
  };
}

/** The records that start the reassignment, or carry it out at once if nobody has to catch up. None: it is so already. */
export function startReassignment(
  at: PartitionKey,
  state: PartitionState,
  target: readonly NodeId[],
  rules: ChangeRules & { readonly cause: string; readonly directoryOf: (brokerId: NodeId) => Uuid },
): MetadataRecord[] {
  return changePartition(at, state, reassignmentTo(state, target, rules.directoryOf), rules);
}

/**
 * C-8.3: back to the replicas before. None: nothing is being reassigned. Undefined: without those that were being added nobody
 * could lead, or nobody would be left that has every acknowledged record; an unclean election mends that where it is allowed.
 */
export function cancelReassignment(
  at: PartitionKey,
  state: PartitionState,
  rules: ChangeRules & { readonly cause: string },
): MetadataRecord[] | undefined {
  if (state.adding.length + state.removing.length === 0) return [];
  const stays = (id: NodeId): boolean => !state.adding.includes(id);
  const target: PartitionTarget = {
    replicas: state.replicas.filter(stays),
    directories: state.directories.filter((_, i) => stays(state.replicas[i] ?? NO_NODE)),
    adding: [],
    removing: [],
    isr: state.isr.filter(stays),
  };
  const { leader, isr, elr } = nextPartition(state, target, rules);
  const losesLeader = state.leader !== NO_NODE && leader === NO_NODE;
  const losesEligible = state.isr.length + state.elr.length > 0 && isr.length + elr.length === 0;
  return losesLeader || losesEligible ? undefined : changePartition(at, state, target, rules);
}
