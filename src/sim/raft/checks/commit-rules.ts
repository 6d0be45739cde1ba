// What a leader must have before it raises its high watermark. S-R8: a majority of the latest voters of its log (R-8.1,
// ) hold everything below it in synced storage, as batches or in a snapshot. S-R9: it covers a batch of its own epoch.
import type { ReplicaKey } from '../../../raft/types.ts';
import type { RaftChecker } from '../checker.ts';
import type { Ghost } from '../ghost.ts';
import type { LogPrefix } from '../log-entry.ts';
import { holdsPrefix, prefixAt, wholeOf } from '../log-entry.ts';
import { check, Violation } from '../violation.ts';

export const durableMajority: RaftChecker = {
  committed(ghost, node, highWatermark) {
    if (node.role !== 'leader') return;
    const log = node.disk.written;
    const prefix = prefixAt(log, highWatermark);
    const { voters } = wholeOf(log);
    if (prefix === undefined || voters === undefined) {
      throw new Violation(
        'S-R8',
        `leader ${node.id} commits up to ${highWatermark}, no batch boundary of a pinned log`,
      );
    }
    const holders = countHolders(ghost, voters, prefix);
    check(
      'S-R8',
      holders >= Math.floor(voters.length / 2) + 1,
      () =>
        `leader ${node.id} commits up to ${highWatermark} with ${holders} of ${voters.length} voters holding it durably`,
    );
  },
};

/**
 * A voter whose disk was lost counts with what it held then: it has acknowledged that, and the loss of a minority of the
 * disks is within the failure budget (M-8).
 */
function countHolders(ghost: Ghost, voters: readonly ReplicaKey[], prefix: LogPrefix): number {
  let holders = 0;
  for (const voter of voters) {
    const present = ghost.nodes[voter.id]?.disk;
    const disk = present?.replica.directoryId === voter.directoryId ? present : ghost.lostDisks.get(voter.directoryId);
    if (disk !== undefined && holdsPrefix(disk.synced, prefix, ghost.committed)) holders++;
  }
  return holders;
}

export const ownEpochCommit: RaftChecker = {
  committed(_ghost, node, highWatermark, batches) {
    if (node.role !== 'leader') return;
    const epoch = batches[batches.length - 1]?.epoch;
    check(
      'S-R9',
      epoch === node.epoch,
      () => `leader ${node.id} of ${node.epoch} commits to ${highWatermark}, epoch ${epoch}`,
    );
  },
};
