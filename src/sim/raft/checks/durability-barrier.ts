// M-5: what a message asserts is durable before it leaves. Epoch and leadership are compared with what has been durable
// when it leaves; what it says of the log must be covered by the operation that it was made to wait for.
import type { Epoch } from '../../../base/ids.ts';
import type { Uuid } from '../../../base/uuid.ts';
import type { RaftRequest, RaftResponse } from '../../../raft/types.ts';
import type { RaftChecker } from '../checker.ts';
import { stateEpoch } from '../disk.ts';
import type { NodeView } from '../ghost.ts';
import { check } from '../violation.ts';

export function durabilityBarrier(): RaftChecker {
  /** Epochs of which a disk has said durably that its own node leads them. */
  const led = new Map<Uuid, Set<Epoch>>();
  return {
    synced(_ghost, node, op) {
      if (op.kind !== 'state' || op.state.leaderId !== node.id) return;
      const { directoryId } = node.disk.replica;
      const epochs = led.get(directoryId) ?? new Set<Epoch>();
      led.set(directoryId, epochs.add(op.state.leaderEpoch));
    },

    emitted(_ghost, node, message, after) {
      if (!claimsLog(node, message)) return;
      const { disk } = node;
      const covered = Math.max(after ?? -1, disk.syncedOp) >= disk.logOp;
      check(
        'M-5',
        covered,
        () => `node ${node.id} sends ${message.type} after op ${after}, its log waits for op ${disk.logOp}`,
      );
    },

    released(_ghost, node, message) {
      const epoch = 'currentLeaderEpoch' in message ? message.currentLeaderEpoch : message.epoch;
      const durable = stateEpoch(node.disk.syncedState);
      check(
        'M-5',
        epoch <= durable,
        () => `node ${node.id} sends ${message.type} in epoch ${epoch}, durable is ${durable}`,
      );
      if (!claimsLeadership(message)) return;
      const known = led.get(node.disk.replica.directoryId)?.has(epoch) ?? false;
      check(
        'M-5',
        known,
        () => `node ${node.id} sends ${message.type} as leader of ${epoch}, its disk does not say so`,
      );
    },
  };
}

/** M-5b, M-5d, R-4.2. Brokers are not bound to flush before they fetch. */
function claimsLog(node: NodeView, message: RaftRequest | RaftResponse): boolean {
  return node.controller && ('fetchOffset' in message || 'candidateKey' in message);
}

function claimsLeadership(message: RaftRequest | RaftResponse): boolean {
  if ('leaderKey' in message) return true;
  return (
    message.type === 'fetch' && 'batches' in message && message.error === 'NONE' && message.diverging === undefined
  );
}
