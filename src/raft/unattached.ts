// Without a leader: wait for the election timeout (election.ts) and meanwhile ask the voters, configured and in force, who leads
//
import type { Epoch, Ms, NodeId } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import { call, cancelTimer, retryLater, setElectionTimer, setTimer } from './outbox.ts';
import type { RaftState } from './state.ts';
import { isElectable, isOwnId } from './state.ts';
import { enter } from './transition.ts';
import type { RaftConfig, RaftEffect, ReplicaKey } from './types.ts';

/**
 * and the ways back from Prospective and Resigned. `leaderId`: only one that cannot be reached. `vote`: given in
 * that higher epoch, with one write for both.
 */
export function becomeUnattached(
  state: RaftState,
  effects: RaftEffect[],
  epoch: Epoch,
  leaderId: NodeId = NO_NODE,
  vote?: ReplicaKey,
): void {
  const from = state.role.name;
  enter(state, effects, { name: 'unattached' }, epoch, leaderId, vote);
  // the remaining time of the old timer; a new one after a time with a leader, or where none is running.
  if (from === 'leader' || from === 'follower' || !state.timers.election.armed) waitForElection(state, effects);
  retryLater(state, effects);
}

/** Arms the election timeout of whoever may be elected; observers never are. */
export function waitForElection(state: RaftState, effects: RaftEffect[]): void {
  if (isElectable(state)) setElectionTimer(state, effects);
  else cancelTimer(state, effects, 'election');
}

/** Asks the next voter who leads, by an ordinary fetch that nobody parks. */
export function discoverLeader(state: RaftState, effects: RaftEffect[]): void {
  const to = nextVoterToAsk(state);
  if (to !== undefined) sendFetch(state, effects, to, 0);
}

/** a voter other than this node and `except`, configured or in force, round robin; undefined if there is none. */
export function nextVoterToAsk(state: RaftState, except?: NodeId): NodeId | undefined {
  const ids = [...state.config.voterIds];
  for (const { id } of state.log.voters ?? []) if (!ids.includes(id)) ids.push(id);
  for (let tried = 0; tried < ids.length; tried++) {
    const id = ids[state.discoveries++ % ids.length];
    if (id !== undefined && id !== except && !isOwnId(state, id)) return id;
  }
  return undefined;
}

/** Asks again, more slowly than a retry: there may be no leader for long. */
export function discoverLater(state: RaftState, effects: RaftEffect[]): void {
  if (state.timers.retry.armed) return;
  const { retryBackoffMs, electionTimeoutMs } = state.config;
  setTimer(state, effects, 'retry', Math.max(retryBackoffMs, Math.ceil(electionTimeoutMs / 10)));
}

/** everything below fetchOffset is flushed by the time this leaves (M-5b, M-5d). */
export function sendFetch(state: RaftState, effects: RaftEffect[], to: NodeId, maxWaitMs: number): number {
  const { config, log } = state;
  return call(
    state,
    effects,
    to,
    {
      type: 'fetch',
      clusterId: config.clusterId,
      replicaKey: config.replica,
      currentLeaderEpoch: state.epoch,
      fetchOffset: log.endOffset,
      lastFetchedEpoch: log.lastEpoch,
      maxWaitMs,
      highWatermark: state.highWatermark,
    },
    true,
    fetchCallTimeoutMs(config, maxWaitMs),
  );
}

/**
 * After how long a fetch that the leader may keep for `maxWaitMs` counts as lost: halfway from there to the fetch timeout, so that it
 * can be sent again before that expires.
 */
export function fetchCallTimeoutMs(
  { requestTimeoutMs, fetchTimeoutMs }: Pick<RaftConfig, 'requestTimeoutMs' | 'fetchTimeoutMs'>,
  maxWaitMs: Ms,
): Ms {
  return Math.min(requestTimeoutMs, Math.ceil((fetchTimeoutMs + maxWaitMs) / 2));
}
