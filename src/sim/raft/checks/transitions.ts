// S-R15: only the transitions of R-2, with the change of epoch each allows; the first role of a process by R-1; and:
// who is no voter only follows, unless the change that removed it may still need it. The table is written out here and not taken from the core.
import type { RoleName } from '../../../raft/types.ts';
import type { RaftChecker, RolePoint } from '../checker.ts';
import type { NodeView } from '../ghost.ts';
import { includesReplica, isVoter, sameReplica } from '../ghost.ts';
import type { LogPrefix } from '../log-entry.ts';
import { isEntry, wholeOf } from '../log-entry.ts';
import { check } from '../violation.ts';

type EpochChange = 'none' | 'one' | 'some' | 'any';

const TABLE: Readonly<Record<RoleName, Partial<Record<RoleName, EpochChange>>>> = {
  unattached: { unattached: 'some', prospective: 'none', follower: 'any' },
  prospective: { unattached: 'any', candidate: 'one', follower: 'any' },
  candidate: { unattached: 'some', leader: 'none', prospective: 'none', follower: 'any' },
  leader: { unattached: 'some', resigned: 'none', follower: 'some' },
  resigned: { unattached: 'some', follower: 'some' },
  follower: { prospective: 'none', unattached: 'some', follower: 'some' },
};

function allows(change: EpochChange | undefined, from: number, to: number): boolean {
  switch (change) {
    case undefined:
      return false;
    case 'none':
      return to === from;
    case 'one':
      return to === from + 1;
    case 'some':
      return to > from;
    case 'any':
      return to >= from;
  }
}

export const legalTransitions: RaftChecker = {
  roleChanged(_ghost, node, to) {
    if (node.role === undefined) {
      check('S-R15', isFirstRole(node, to), () => `node ${node.id} starts as ${to.role} in epoch ${to.epoch}`);
    } else {
      const { role, epoch } = node;
      check(
        'S-R15',
        allows(TABLE[role][to.role], epoch, to.epoch),
        () => `node ${node.id} goes from ${role}(${epoch}) to ${to.role}(${to.epoch})`,
      );
    }
    const votes = to.role !== 'unattached' && to.role !== 'follower' && to.role !== 'resigned';
    check('S-R15', !votes || mayCampaign(node), () => `node ${node.id}, not a voter, becomes ${to.role}`);
    const follows = to.role !== 'follower' || (to.leaderId >= 0 && to.leaderId !== node.id);
    check('S-R15', follows, () => `node ${node.id} follows ${to.leaderId}`);
  },
};

/** who led the durable epoch starts Resigned: only who voted for itself starts as Candidate. */
function isFirstRole(node: NodeView, to: RolePoint): boolean {
  const durable = node.disk.syncedState;
  if (durable === undefined) return to.role === 'unattached' && to.epoch === 0;
  if (durable.leaderId === node.id) return to.role === 'resigned' && to.epoch === durable.leaderEpoch;
  if (to.role === 'follower') return durable.leaderId === to.leaderId && to.epoch === durable.leaderEpoch;
  if (to.role === 'candidate') {
    return (
      durable.votedKey !== undefined &&
      sameReplica(durable.votedKey, node.disk.replica) &&
      to.epoch === durable.leaderEpoch
    );
  }
  return to.role === 'unattached';
}

/**
 * A member of the latest voter set of its own log; or of the one before, as long as nobody is known to have committed the
 * change: the record that removes it may be nowhere else (Ongaro, 4.2.2).
 */
function mayCampaign(node: NodeView): boolean {
  if (isVoter(node)) return true;
  const { voterRecords } = wholeOf(node.disk.written);
  let record: LogPrefix = wholeOf(node.disk.written);
  while (isEntry(record) && record.previous.voterRecords === voterRecords) record = record.previous;
  if (!isEntry(record) || node.committed.ordinal >= record.ordinal) return false;
  return includesReplica(record.previous.voters ?? [], node.disk.replica);
}
