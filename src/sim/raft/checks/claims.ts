// the state machine is told of leadership when it has applied everything up to the leader's own first batch, and
// of its loss before any other role is announced.
import type { RaftChecker } from '../checker.ts';
import { check } from '../violation.ts';

export const claims: RaftChecker = {
  claimed(_ghost, node, epoch) {
    const leads = node.role === 'leader' && node.epoch === epoch && node.claimEpoch < 0;
    check('R-9.2', leads, () => `node ${node.id}, ${node.role ?? 'starting'} in ${node.epoch}, claims epoch ${epoch}`);
    const { entries } = node.disk.written;
    let first = entries.length - 1;
    while (first > 0 && entries[first - 1]?.epoch === epoch) first--;
    const start = entries[first]?.batch.baseOffset ?? 0;
    check(
      'R-9.2',
      entries[first]?.epoch === epoch && node.appliedEndOffset > start,
      () => `node ${node.id} claims epoch ${epoch} that starts at ${start}, applied up to ${node.appliedEndOffset}`,
    );
  },
  renounced(_ghost, node, epoch) {
    check(
      'R-9.2',
      node.claimEpoch === epoch,
      () => `node ${node.id} renounces ${epoch}, its claim is ${node.claimEpoch}`,
    );
  },
  roleChanged(_ghost, node, to) {
    const over = node.claimEpoch < 0 || (to.role === 'leader' && to.epoch === node.claimEpoch);
    check('R-9.2', over, () => `node ${node.id} becomes ${to.role}(${to.epoch}) with its claim of ${node.claimEpoch}`);
  },
};
