// S-R11: a log has at most one voter change that nobody has committed, each differs from the set before it by one
// step such that their majorities intersect, and its leader has committed something in its own epoch first: else
// two leaders could each change the set that the other one knows (Ongaro's single-server bug).
import type { RaftChecker } from '../checker.ts';
import type { Ghost, NodeView } from '../ghost.ts';
import { namesOf } from '../ghost.ts';
import type { LogEntry, LogPrefix } from '../log-entry.ts';
import { isEntry } from '../log-entry.ts';
import { check } from '../violation.ts';
import { isOneStep, quorumsIntersect } from '../voter-sets.ts';

export const voterChanges: RaftChecker = {
  appended(ghost, node, entries, created) {
    for (const entry of entries) {
      if (!setsVoters(entry)) continue;
      const open = uncommittedRecords(ghost, entry);
      check('S-R11', open <= 1, () => `node ${node.id} has ${open} uncommitted voter changes up to ${entry.endOffset}`);
      if (created.includes(entry)) checkCreated(ghost, node, entry);
    }
  },
};

function setsVoters(entry: LogEntry): boolean {
  return entry.voterRecords > entry.previous.voterRecords;
}

/** How many batches of this log, from its last one back to what is committed, set the voters. */
function uncommittedRecords(ghost: Ghost, last: LogEntry): number {
  let at: LogPrefix = last;
  while (isEntry(at) && ghost.committed[at.ordinal - 1]?.chain !== at.chain) at = at.previous;
  return last.voterRecords - at.voterRecords;
}

function checkCreated(ghost: Ghost, node: NodeView, { previous, voters, endOffset }: LogEntry): void {
  const before = previous.voters;
  // The first batch of all pins the configured voters (R-0.3a).
  if (before === undefined || voters === undefined) return;
  const what = (): string => `leader ${node.id} changes ${namesOf(before)} to ${namesOf(voters)} below ${endOffset}`;
  check('S-R11', isOneStep(before, voters), () => `${what()}: more than one step`);
  check('S-R11', quorumsIntersect(before, voters), () => `${what()}: their majorities need not meet`);
  const own = ghost.committed[node.committed.ordinal - 1]?.epoch === node.epoch;
  check('S-R11', own, () => `${what()}: nothing of its own epoch ${node.epoch} is committed`);
}
