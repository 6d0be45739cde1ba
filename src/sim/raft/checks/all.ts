// Every safety checker of a run, in the order in which they look: causes before consequences.
import type { RaftChecker } from '../checker.ts';
import { claims } from './claims.ts';
import { durableMajority, ownEpochCommit } from './commit-rules.ts';
import { createdByLeader } from './created-by-leader.ts';
import { durabilityBarrier } from './durability-barrier.ts';
import { electionSafety } from './election-safety.ts';
import { epochMonotone } from './epoch-monotone.ts';
import { leaderCompleteness } from './leader-completeness.ts';
import { logMatching } from './log-matching.ts';
import { oneVote } from './one-vote.ts';
import { quorumStateCoversLog } from './quorum-state.ts';
import { snapshots } from './snapshots.ts';
import { highWatermarkBounds, stateMachineSafety } from './state-machine-safety.ts';
import { legalTransitions } from './transitions.ts';
import { truncationAboveHighWatermark } from './truncation.ts';
import { voterChanges } from './voter-changes.ts';

/** New instances for one run. `without`: names of checkers to leave out, to see what the others find. */
export function safetyCheckers(without: readonly CheckerName[] = []): RaftChecker[] {
  const checkers: Record<CheckerName, RaftChecker> = {
    epochMonotone,
    electionSafety,
    oneVote: oneVote(),
    leaderCompleteness,
    logMatching,
    createdByLeader,
    quorumStateCoversLog,
    ownEpochCommit,
    durableMajority,
    voterChanges,
    snapshots,
    stateMachineSafety,
    highWatermarkBounds,
    truncationAboveHighWatermark: truncationAboveHighWatermark(),
    legalTransitions,
    durabilityBarrier: durabilityBarrier(),
    claims,
  };
  return Object.entries(checkers).flatMap(([name, checker]) =>
    without.includes(name as CheckerName) ? [] : [checker],
  );
}

export type CheckerName =
  | 'epochMonotone'
  | 'electionSafety'
  | 'oneVote'
  | 'leaderCompleteness'
  | 'logMatching'
  | 'createdByLeader'
  | 'quorumStateCoversLog'
  | 'ownEpochCommit'
  | 'durableMajority'
  | 'voterChanges'
  | 'snapshots'
  | 'stateMachineSafety'
  | 'highWatermarkBounds'
  | 'truncationAboveHighWatermark'
  | 'legalTransitions'
  | 'durabilityBarrier'
  | 'claims';
