// The last words of a leader that fails: EndQuorumEpoch, made of what it knew and not by its core, which may not be
// trusted any more. It only speeds the next election up.
import type { NodeId } from '../base/ids.ts';
import type { EndQuorumEpochRequest, QuorumDescription, RaftConfig } from '../raft/types.ts';

/** What to tell whom; undefined for one that does not lead, or leads nobody else. */
export function farewellOf(
  { clusterId, replica }: Pick<RaftConfig, 'clusterId' | 'replica'>,
  { role, epoch, voters }: QuorumDescription,
): { readonly to: readonly NodeId[]; readonly message: EndQuorumEpochRequest } | undefined {
  if (role !== 'leader') return undefined;
  const others = voters
    .filter((voter) => voter.replica.id !== replica.id)
    .toSorted((a, b) => b.logEndOffset - a.logEndOffset)
    .map((voter) => voter.replica);
  if (others.length === 0) return undefined;
  return {
    to: others.map(({ id }) => id),
    message: { type: 'endQuorumEpoch', clusterId, leaderKey: replica, epoch, preferredSuccessors: others },
  };
}
