// What tells a message from others, the same at its sender and at its receiver. Two messages with one key are as good as one.
import type { NodeId } from '../../base/ids.ts';
import type { Batch, RaftRequest, RaftResponse, ReplicaKey } from '../../raft/types.ts';

/** `to`: the node that is asked. */
export function requestKey(to: NodeId, message: RaftRequest): string {
  return `>${to} ${askedFor(message)}`;
}

function askedFor(message: RaftRequest): string {
  switch (message.type) {
    case 'vote': {
      const { voterKey, candidateKey, epoch, lastEpoch, logEndOffset, preVote } = message;
      return keyOf('vote?', voterKey.id, name(candidateKey), epoch, lastEpoch, logEndOffset, preVote);
    }
    case 'beginQuorumEpoch':
      return keyOf('begin?', message.voterKey.id, name(message.leaderKey), message.epoch);
    case 'endQuorumEpoch':
      return keyOf('end?', name(message.leaderKey), message.epoch);
    case 'fetch': {
      const { replicaKey, currentLeaderEpoch, fetchOffset, lastFetchedEpoch, highWatermark } = message;
      return keyOf('fetch?', name(replicaKey), currentLeaderEpoch, fetchOffset, lastFetchedEpoch, highWatermark);
    }
    case 'fetchSnapshot': {
      const { replicaKey, currentLeaderEpoch, snapshotId, position } = message;
      return keyOf('snapshot?', name(replicaKey), currentLeaderEpoch, snapshotId.endOffset, snapshotId.epoch, position);
    }
  }
}

export function senderOf(message: RaftRequest): NodeId {
  switch (message.type) {
    case 'vote':
      return message.candidateKey.id;
    case 'beginQuorumEpoch':
    case 'endQuorumEpoch':
      return message.leaderKey.id;
    case 'fetch':
    case 'fetchSnapshot':
      return message.replicaKey.id;
  }
}

/** `from`: the node that answers, `to`: the one that asked. */
export function responseKey(from: NodeId, to: NodeId, message: RaftResponse): string {
  const { type, error, epoch, leaderId } = message;
  const head = [`${from}>${to} ${type}!`, error, epoch, leaderId] as const;
  switch (message.type) {
    case 'vote':
      return keyOf(...head, message.granted, message.logEmpty);
    case 'quorumEpoch':
      return keyOf(...head);
    case 'fetch': {
      const { highWatermark, diverging, snapshotId, batches } = message;
      const other = diverging ?? snapshotId;
      return keyOf(...head, highWatermark, other?.endOffset, other?.epoch, ...ends(batches));
    }
    case 'fetchSnapshot': {
      const { snapshotId, position } = message;
      return keyOf(...head, snapshotId.endOffset, snapshotId.epoch, position);
    }
  }
}

function ends(batches: readonly Batch[]): (number | undefined)[] {
  return [batches[0]?.baseOffset, batches.at(-1)?.baseOffset, batches.at(-1)?.epoch];
}

function name(key: ReplicaKey): string {
  return `${key.id}/${key.directoryId}`;
}

function keyOf(...parts: readonly (string | number | boolean | undefined)[]): string {
  return parts.join(' ');
}
