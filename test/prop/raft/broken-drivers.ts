// Cores with a defect in what surrounds them, to show that the simulator finds defects (safety.md §7). Each wraps `step`
// and changes events or effects; the core itself stays as it is.

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

/** truncations reach the disk only as far as the file's length: the bytes stay. */
export const truncationForgotten = rewriting((effect) =>
  effect.type === 'truncate' ? { type: 'notice', level: 'info', event: 'dropped', fields: {} } : effect,
);

/** M-6 on the other side: what the state machine gets skips the last batch of each commit now and then. */
export const commitSkips = rewriting((effect) =>
  effect.type === 'commit' && effect.batches.length > 1 ? { ...effect, batches: effect.batches.slice(1) } : effect,
);
