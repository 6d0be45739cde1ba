// S-R5: who enters Leader(e) has everything that leaders of lower epochs committed. Not what higher epochs did: a winner
// of an old epoch that is told late legitimately lacks that (H-4). A snapshot stands for what is below its end.
import type { RaftChecker } from '../checker.ts';
import type { LogEntry } from '../log-entry.ts';
import { endOffsetOf, holdsPrefix } from '../log-entry.ts';
import { check } from '../violation.ts';

export const leaderCompleteness: RaftChecker = {
  roleChanged(ghost, node, to) {
    if (to.role !== 'leader') return;
    for (let i = ghost.committed.length - 1; i >= 0; i--) {
      const commitEpoch = ghost.commitEpochs[i] as number;
      if (commitEpoch >= to.epoch) continue;
      const entry = ghost.committed[i] as LogEntry;
      check(
        'S-R5',
        holdsPrefix(node.disk.written, entry, ghost.committed),
        () =>
          `node ${node.id} leads epoch ${to.epoch} with log end ${endOffsetOf(node.disk.written)}, without what was ` +
          `committed up to ${entry.endOffset} in epoch ${commitEpoch}`,
      );
      // The chain covers everything before.
      return;
    }
  },
};
