// S-R16: a batch of epoch e is created by the leader of e, while it leads; everybody else only copies, as a follower.
import type { RaftChecker } from '../checker.ts';
import { check } from '../violation.ts';

export const createdByLeader: RaftChecker = {
  appended(_ghost, node, entries, created) {
    for (const { epoch, endOffset } of created) {
      check(
        'S-R16',
        node.role === 'leader' && node.epoch === epoch,
        () =>
          `node ${node.id}, ${node.role ?? 'starting'} in ${node.epoch}, creates a batch of epoch ${epoch} up to ${endOffset}`,
      );
    }
    if (created.length === entries.length) return;
    check('S-R16', node.role === 'follower', () => `node ${node.id} copies batches as ${node.role ?? 'starting'}`);
    const last = entries[entries.length - 1]?.epoch ?? 0;
    check('S-R16', last <= node.epoch, () => `node ${node.id} in epoch ${node.epoch} copies a batch of ${last}`);
  },
};
