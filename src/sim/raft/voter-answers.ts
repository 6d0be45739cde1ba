// Answers to voter changes: refused without a trace, or appended as asked.
import { unreachable } from '../../base/assert.ts';
import type { Uuid } from '../../base/uuid.ts';
import type { RaftEffect, ReplicaKey, VoterChange, VoterChangeError } from '../../raft/types.ts';
import type { Coverage } from './coverage.ts';
import { liveVoterSets, namesOf } from './ghost.ts';
import type { LogEntry } from './log-entry.ts';
import { isEntry, wholeOf } from './log-entry.ts';
import { noteOccurrence } from './triggers.ts';
import { check, Violation } from './violation.ts';
import { changed, sameVoters } from './voter-sets.ts';
import type { SimNode, World } from './world.ts';

export function answerChange(
  world: World,
  node: SimNode,
  { token, result }: Extract<RaftEffect, { type: 'voterChange' }>,
): void {
  const { view } = node;
  const change = node.changing.get(token);
  if (change === undefined)
    throw new Violation('S-R11', `node ${view.id} answers voter change ${token} twice or unasked`);
  node.changing.delete(token);
  if (result.type === 'refused') {
    const isLeader = view.role === 'leader';
    check(
      'S-R11',
      (result.error === 'NOT_LEADER') !== isLeader,
      () => `${view.role} ${view.id} answers ${result.error}`,
    );
    world.coverage[REFUSALS[result.error]]++;
    return;
  }
  const last = wholeOf(view.disk.written);
  const before = isEntry(last) ? last.previous : undefined;
  const asked = before?.voters === undefined ? undefined : changed(before.voters, change);
  check(
    'S-R11',
    last.endOffset === result.offset + 1 && view.role === 'leader' && sameVoters(last.voters, asked),
    () => `node ${view.id} answers ${change.type} with offset ${result.offset} and ${namesOf(last.voters ?? [])}`,
  );
  world.accepted.push({ change, entry: last as LogEntry });
  countAccepted(world, view.disk.replica.directoryId, change, before?.voters ?? []);
  noteOccurrence(world, node, 'votersChanged');
}

const REFUSALS = {
  NOT_LEADER: 'changesRefusedNotLeader',
  NOT_READY: 'changesRefusedNotReady',
  DUPLICATE_VOTER: 'changesRefusedDuplicate',
  VOTER_NOT_FOUND: 'changesRefusedNotFound',
  NOT_CAUGHT_UP: 'changesRefusedNotCaughtUp',
  QUORUM_AT_RISK: 'changesRefusedAtRisk',
} as const satisfies Record<VoterChangeError, keyof Coverage>;

function countAccepted(
  { coverage, observer: { ghost } }: World,
  leader: Uuid,
  change: VoterChange,
  before: readonly ReplicaKey[],
): void {
  // The committed set, the one just begun, and somebody else's.
  if (liveVoterSets(ghost).length > 2) coverage.rivalVoterChanges++;
  switch (change.type) {
    case 'add':
      coverage.votersAdded++;
      if (before.length === 1) coverage.soleVotersJoined++;
      for (const { replica } of ghost.lostDisks.values()) if (replica.id === change.voter.id) coverage.votersReplaced++;
      return;
    case 'remove':
      coverage.votersRemoved++;
      if (change.replica.directoryId === leader) coverage.leadersRemoved++;
      return;
    case 'update':
      coverage.votersUpdated++;
      return;
    default:
      unreachable(change, 'voter change');
  }
}
