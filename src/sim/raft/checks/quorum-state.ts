// S-R14: the durable epoch is never behind the log. Disk operations keep their order, so it is enough that it
// holds after each one as issued: then it holds after every crash.
import type { RaftChecker } from '../checker.ts';
import { stateEpoch } from '../disk.ts';
import { lastEpochOf } from '../log-entry.ts';
import { check } from '../violation.ts';

export const quorumStateCoversLog: RaftChecker = {
  stateWritten(_ghost, node, state) {
    const epoch = lastEpochOf(node.disk.written);
    check(
      'S-R14',
      state.leaderEpoch >= epoch,
      () => `node ${node.id} writes epoch ${state.leaderEpoch}, its log has ${epoch}`,
    );
  },
  appended(_ghost, node, entries) {
    const written = stateEpoch(node.disk.writtenState);
    const epoch = entries[entries.length - 1]?.epoch ?? 0;
    check(
      'S-R14',
      epoch <= written,
      () => `node ${node.id} appends in epoch ${epoch}, its quorum state says ${written}`,
    );
  },
};
