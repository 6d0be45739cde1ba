// S-R1, and R-2.3 from the followers' side: one leader for an epoch, across restarts, and nobody follows another.
import type { RaftChecker } from '../checker.ts';
import { nameOf } from '../ghost.ts';
import { check } from '../violation.ts';

export const electionSafety: RaftChecker = {
  roleChanged(ghost, node, to) {
    const leader = ghost.leaders.get(to.epoch);
    if (to.role === 'leader') {
      const self = nameOf(node.disk.replica);
      check(
        'S-R1',
        leader === undefined,
        () => `${self} enters Leader(${to.epoch}), led by ${nameOf(leader ?? node.disk.replica)}`,
      );
      check('S-R1', to.leaderId === node.id, () => `${self} leads ${to.epoch} and names ${to.leaderId} as the leader`);
    } else if (to.leaderId >= 0) {
      check(
        'S-R1',
        leader?.id === to.leaderId,
        () =>
          `node ${node.id} takes ${to.leaderId} for the leader of ${to.epoch}, which is ${leader?.id ?? 'without one'}`,
      );
    }
  },
};
