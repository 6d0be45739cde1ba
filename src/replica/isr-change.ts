// What a leader says in a change of the ISR, and what it takes from the answer (D-5.1, D-5.3), pure.
import type { NodeId, Offset } from '../base/ids.ts';
import { LOST_DIRECTORY } from '../base/uuid.ts';
import type { PartitionState } from '../metadata/image.ts';
import type { AlterationOutcome, IsrMember } from './alter-partitions.ts';
import type { FollowerState } from './isr.ts';

interface Known {
  readonly brokerId: NodeId;
  readonly brokerEpoch: () => Offset;
  readonly registeredEpoch: (brokerId: NodeId) => Offset | undefined;
}

/**
 * The new ISR. Who joins is named by the incarnation that has caught up (KIP-903). Who stays is in it by the controller's own word, by
 * whatever registration it has there: were that one of a broker that lost records, the partition epoch would be another (C-2.4).
 * Undefined while the registration of one of them is not known here.
 */
export function membersOf(
  known: Known,
  followers: ReadonlyMap<NodeId, FollowerState>,
  staying: readonly NodeId[],
  joining: readonly FollowerState[],
): IsrMember[] | undefined {
  const members: IsrMember[] = [];
  for (const brokerId of staying) {
    const seen = followers.get(brokerId)?.brokerEpoch ?? -1;
    const brokerEpoch =
      brokerId === known.brokerId ? known.brokerEpoch() : Math.max(seen, known.registeredEpoch(brokerId) ?? -1);
    if (brokerEpoch < 0) return undefined;
    members.push({ brokerId, brokerEpoch });
  }
  for (const { brokerId, brokerEpoch } of joining) members.push({ brokerId, brokerEpoch });
  return members;
}

/** D-10.2: replicas whose logs are lost, or were until now: what they had says nothing of what they have from now on. */
export function lostReplicas(...states: readonly PartitionState[]): NodeId[] {
  return states.flatMap(({ replicas, directories }) => replicas.filter((_, i) => directories[i] === LOST_DIRECTORY));
}

/**
 * The state after a change that was carried out; undefined where it is for the metadata to show: another leader epoch, and
 * **[ours]** any that takes members out of the ISR. The controller keeps them in the ELR by the min.insync.replicas of that moment, which
 * may be greater than what this broker has seen, and then nothing more may be acknowledged without them (C-10.1).
 */
export function altered(
  state: PartitionState,
  answer: Extract<AlterationOutcome, { readonly kind: 'altered' }>,
): PartitionState | undefined {
  const { leaderEpoch, partitionEpoch, isr, recovering } = answer;
  if (leaderEpoch !== state.leaderEpoch || partitionEpoch < state.partitionEpoch) return undefined;
  if (state.isr.some((id) => !isr.includes(id))) return undefined;
  // A reassignment that this completes may raise what counts as enough (D-6.1).
  const adding = state.adding.filter((id) => !isr.includes(id));
  return { ...state, partitionEpoch, isr, recovering, adding };
}
