// S-R3: the epoch of a replica identity never goes down: on disk, in memory, and from disk to memory at a restart.
import type { RaftChecker } from '../checker.ts';
import { stateEpoch } from '../disk.ts';
import { check } from '../violation.ts';

export const epochMonotone: RaftChecker = {
  stateWritten(_ghost, node, state) {
    const before = stateEpoch(node.disk.writtenState);
    check(
      'S-R3',
      state.leaderEpoch >= before,
      () => `node ${node.id} writes epoch ${state.leaderEpoch} over ${before}`,
    );
  },

  roleChanged(_ghost, node, to) {
    const before = node.role === undefined ? stateEpoch(node.disk.syncedState) : node.epoch;
    check('S-R3', to.epoch >= before, () => `node ${node.id} goes from epoch ${before} to ${to.epoch}`);
  },
};
