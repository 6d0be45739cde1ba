// S-R2: one candidate per epoch and voter identity, across restarts; and: a vote is kept while the epoch stays.
// Votes are recorded when they become durable; a vote that leaves must be among them.
import type { Epoch } from '../../../base/ids.ts';
import type { Uuid } from '../../../base/uuid.ts';
import type { ReplicaKey } from '../../../raft/types.ts';
import type { RaftChecker } from '../checker.ts';
import type { NodeView } from '../ghost.ts';
import { nameOf, sameReplica } from '../ghost.ts';
import { check } from '../violation.ts';

export function oneVote(): RaftChecker {
  const votes = new Map<Uuid, Map<Epoch, ReplicaKey>>();

  function vote(node: NodeView, epoch: Epoch): ReplicaKey | undefined {
    return votes.get(node.disk.replica.directoryId)?.get(epoch);
  }

  return {
    stateWritten(_ghost, node, state) {
      const before = node.disk.writtenState;
      if (before?.leaderEpoch !== state.leaderEpoch || before.votedKey === undefined) return;
      const kept = state.votedKey !== undefined && sameReplica(state.votedKey, before.votedKey);
      check('S-R2', kept, () => `node ${node.id} drops or changes its vote in epoch ${state.leaderEpoch}`);
    },

    synced(_ghost, node, op) {
      if (op.kind !== 'state' || op.state.votedKey === undefined) return;
      const { votedKey, leaderEpoch } = op.state;
      const given = vote(node, leaderEpoch);
      const detail = () =>
        `${nameOf(node.disk.replica)} votes for ${nameOf(votedKey)} in epoch ${leaderEpoch}, before for another`;
      check('S-R2', given === undefined || sameReplica(given, votedKey), detail);
      if (given !== undefined) return;
      const { directoryId } = node.disk.replica;
      const byEpoch = votes.get(directoryId) ?? new Map<Epoch, ReplicaKey>();
      byEpoch.set(leaderEpoch, votedKey);
      votes.set(directoryId, byEpoch);
    },

    released(_ghost, node, message, request) {
      if (message.type !== 'vote') return;
      // A candidate asks with its own vote given; a voter answers with the one asked for.
      let candidate: ReplicaKey;
      if ('candidateKey' in message) {
        if (message.preVote) return;
        candidate = message.candidateKey;
      } else {
        if (!message.granted || request?.type !== 'vote' || request.preVote) return;
        candidate = request.candidateKey;
      }
      const durable = vote(node, message.epoch);
      check(
        'S-R2',
        durable !== undefined && sameReplica(durable, candidate),
        () =>
          `node ${node.id} sends its vote for ${nameOf(candidate)} in epoch ${message.epoch}, its disk does not say so`,
      );
    },
  };
}
