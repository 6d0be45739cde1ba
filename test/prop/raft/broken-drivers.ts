// Cores with a defect in what surrounds them, to show that the simulator finds defects (safety.md §7). Each wraps `step`
// and changes events or effects; the core itself stays as it is.

import type { Download } from '../../../src/raft/roles.ts';
import type { RaftState } from '../../../src/raft/state.ts';
import { step } from '../../../src/raft/step.ts';
import type { RaftEffect, RaftEvent } from '../../../src/raft/types.ts';
import type { RaftCore, StepFunction } from '../../../src/sim/raft/core.ts';
import { RAFT_CORE } from '../../../src/sim/raft/core.ts';

function withStep(broken: StepFunction): RaftCore {
  return { ...RAFT_CORE, step: broken };
}

/** Rewrites the effects of each step. */
function rewriting(rewrite: (effect: RaftEffect) => RaftEffect): RaftCore {
  return withStep((state, event, effects) => {
    step(state, event, effects);
    for (let i = 0; i < effects.length; i++) effects[i] = rewrite(effects[i] as RaftEffect);
  });
}

/** B06: the vote is in the reply and not in the file. */
export const voteNotPersisted = rewriting((effect) =>
  effect.type === 'writeQuorumState' ? { ...effect, state: { ...effect.state, votedKey: undefined } } : effect,
);

/** M-5: messages do not wait for the disk. */
export const nothingWaits = rewriting((effect) =>
  effect.type === 'call' || effect.type === 'reply' ? { ...effect, after: undefined } : effect,
);

/** B02: a follower's fetch, which acknowledges, does not wait for the flush. */
export const fetchesBeforeFlush = rewriting((effect) =>
  effect.type === 'call' && effect.message.type === 'fetch' ? { ...effect, after: undefined } : effect,
);

/** B25: appends are reported durable as soon as they are written; what waits for them does not. */
export const reportsBeforeSync = withStep((state, event, effects) => {
  step(state, event, effects);
  let done = lastAppend(effects, 0);
  let from = effects.length;
  while (done !== undefined) {
    step(state, { type: 'diskDone', now: event.now, op: done }, effects);
    done = lastAppend(effects, from);
    from = effects.length;
  }
});

function lastAppend(effects: readonly RaftEffect[], from: number): number | undefined {
  let op: number | undefined;
  for (const effect of effects.slice(from)) if (effect.type === 'append') op = effect.op;
  return op;
}

/** B01: the durable leader of an epoch is forgotten at start, its vote is not: it campaigns in that epoch again. */
export const leadsAgain = starting((event) => {
  const { quorumState } = event.durable;
  return quorumState === undefined
    ? event
    : { ...event, durable: { ...event.durable, quorumState: { ...quorumState, leaderId: -1 } } };
});

/** The quorum state is not read at start. */
export const stateNotRead = starting((event) => ({ ...event, durable: { ...event.durable, quorumState: undefined } }));

function starting(change: (event: Extract<RaftEvent, { type: 'start' }>) => RaftEvent): RaftCore {
  return withStep((state, event, effects) => {
    step(state, event.type === 'start' ? change(event) : event, effects);
  });
}

/** the core is told that everything is applied as soon as it is committed and before: B17. */
export const appliesEarly = withStep((state: RaftState, event, effects) => {
  step(state, event, effects);
  if (event.type === 'timer' && state.started) {
    step(state, { type: 'applied', now: event.now, endOffset: Number.MAX_SAFE_INTEGER }, effects);
  }
});

/** truncations never reach the disk; something else is written in their place. */
export const truncationForgotten = withStep((state, event, effects) => {
  step(state, event, effects);
  for (let i = 0; i < effects.length; i++) {
    const effect = effects[i];
    if (effect?.type !== 'truncate' || state.written === undefined) continue;
    effects[i] = { type: 'writeQuorumState', op: effect.op, state: state.written };
  }
});

/** M-6 on the other side: what the state machine gets skips the last batch of each commit now and then. */
export const commitSkips = rewriting((effect) =>
  effect.type === 'commit' && effect.batches.length > 1 ? { ...effect, batches: effect.batches.slice(1) } : effect,
);

/** B04: a leader commits by counting what earlier leaders wrote. */
export const commitsEarlierEpochs = withStep((state, event, effects) => {
  step(state, event, effects);
  if (state.role.name === 'leader') Object.assign(state.role, { epochStartOffset: -1 });
});

/** whoever has had this vote in this epoch gets it again, whatever its log is now. */
export const grantsAgainUnseen = withStep((state, event, effects) => {
  step(state, event, effects);
  if (event.type !== 'request' || event.message.type !== 'vote' || event.message.preVote) return;
  const { epoch, candidateKey } = event.message;
  if (epoch !== state.epoch || state.votedKey?.directoryId !== candidateKey.directoryId) return;
  for (let i = 0; i < effects.length; i++) {
    const effect = effects[i];
    if (effect?.type !== 'reply' || effect.message.type !== 'vote') continue;
    effects[i] = { ...effect, message: { ...effect.message, granted: true } };
  }
});

/** B10: a leader never asks itself whether anybody fetches. */
export const noCheckQuorum = rewriting((effect) =>
  effect.type === 'setTimer' && effect.id === 'checkQuorum' ? { type: 'cancelTimer', id: 'checkQuorum' } : effect,
);

/** B13: a follower grants pre-votes although its leader answers it. */
export const grantsPreVotes = withStep((state, event, effects) => {
  if (state.role.name === 'follower') state.role.hasFetched = false;
  step(state, event, effects);
});

/** a download goes on under the next leader, from where it was. */
export const keepsDownload = withStep((state, event, effects) => {
  const before = state.role.name === 'follower' ? state.role.download : undefined;
  if (before !== undefined) downloads.set(state, before);
  step(state, event, effects);
  const kept = downloads.get(state);
  if (state.role.name === 'follower' && state.role.download === undefined && kept !== undefined) {
    state.role.download = kept;
  }
});
const downloads = new WeakMap<RaftState, Download>();

/** M-6, B19: records are taken from an answer to a call that is long forgotten. */
export const takesOldAnswers = withStep((state, event, effects) => {
  const late = event.type === 'response' && !state.calls.has(event.call);
  step(state, event, effects);
  if (late && event.message.type === 'fetch' && event.message.batches.length > 0) {
    effects.push({ type: 'append', op: state.nextOp++, batches: event.message.batches });
  }
});

/** without Ongaro's exception: who is not in its own latest voter set never campaigns. */
export const onlyVotersCampaign = withStep((state, event, effects) => {
  const voters = state.log.voters ?? [];
  const isVoter = voters.length === 0 || voters.some(({ id }) => id === state.config.replica.id);
  if (event.type !== 'timer' || event.id !== 'election' || isVoter) step(state, event, effects);
});

/** KIP-853: answers say who leads, not where. */
export const keepsEndpointsSecret = rewriting((effect) => {
  if (effect.type !== 'reply' || effect.message.leaderEndpoint === '') return effect;
  return { ...effect, message: { ...effect.message, leaderEndpoint: '' } };
});

/** an observer that has fetched once refuses pre-votes for ever. */
export const protectsSilentLeader = withStep((state, event, effects) => {
  const fetched = state.role.name === 'follower' && state.role.hasFetched;
  step(state, event, effects);
  if (fetched && event.type === 'timer' && state.role.name === 'follower') state.role.hasFetched = true;
});

/** B22: voters are changed before anything of the own epoch is committed. */
export const changesVotersEarly = withStep((state, event, effects) => {
  const { role, highWatermark } = state;
  const early = event.type === 'changeVoters' && role.name === 'leader';
  if (!early) return step(state, event, effects);
  const { epochStartOffset } = role;
  Object.assign(role, { epochStartOffset: -1 });
  step(state, event, effects);
  Object.assign(role, { epochStartOffset });
  if (highWatermark === state.highWatermark) Object.assign(state, { highWatermark });
});
