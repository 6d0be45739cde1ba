// Counting votes (R-4.8, R-0.3a): by identity, each voter once, an unanswered request is no vote.

import type { NodeId } from '../base/ids.ts';
import { ZERO_UUID } from '../base/uuid.ts';
import { majority } from './commit.ts';
import type { Ballot, Tally } from './roles.ts';
import type { RaftState } from './state.ts';
import { isSelf } from './state.ts';
import type { ReplicaKey } from './types.ts';

/** A new round among the voters in force; in a first election among the configured ids, their disks unknown. */
export function newTally(state: RaftState): Tally {
  const pinned = state.log.voters;
  if (pinned !== undefined) {
    return { bootstrap: false, ballots: pinned.map(({ id, directoryId }) => ({ id, directoryId, state: 'unasked' })) };
  }
  const own = state.config.replica;
  const ballots = state.config.voterIds.map(
    (id): Ballot => ({ id, directoryId: id === own.id ? own.directoryId : ZERO_UUID, state: 'unasked' }),
  );
  return { bootstrap: true, ballots };
}

export function ballotOf(tally: Tally, id: NodeId): Ballot | undefined {
  return tally.ballots.find((ballot) => ballot.id === id);
}

/** undefined where this node is not in the set that it asks. */
export function ownBallot(state: RaftState, tally: Tally): Ballot | undefined {
  const ballot = ballotOf(tally, state.config.replica.id);
  return ballot !== undefined && isSelf(state, ballot) ? ballot : undefined;
}

/** Won by a majority of the voters, a first election by all of them; lost when that has become impossible. */
export function tallyResult(tally: Tally): 'won' | 'lost' | 'open' {
  const { ballots, bootstrap } = tally;
  const needed = bootstrap ? ballots.length : majority(ballots.length);
  let granted = 0;
  let rejected = 0;
  for (const ballot of ballots) {
    if (ballot.state === 'granted') granted++;
    else if (ballot.state === 'rejected') rejected++;
  }
  if (granted >= needed) return 'won';
  return ballots.length - rejected < needed ? 'lost' : 'open';
}

/** Identities of those who granted, sorted by id. */
export function grantingVoters(tally: Tally): ReplicaKey[] {
  return tally.ballots
    .filter((ballot) => ballot.state === 'granted')
    .map(({ id, directoryId }) => ({ id, directoryId }))
    .sort((a, b) => a.id - b.id);
}
