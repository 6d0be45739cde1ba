// How effects are made: timers with generations, calls and replies with their durability barrier (M-5), disk
// operations in order, notices, and the end of the node.
import { assert } from '../base/assert.ts';
import type { Ms, NodeId, Offset } from '../base/ids.ts';
import type { RaftState } from './state.ts';
import { endpointOf, knownLeader } from './state.ts';
import type {
  Batch,
  CallId,
  FetchResponse,
  OpId,
  QuorumEpochResponse,
  RaftEffect,
  RaftErrorCode,
  RaftRequest,
  RaftResponse,
  Snapshot,
  TimerId,
} from './types.ts';

/** Thrown to end the step: nothing of it leaves the node but the fatal effect (`step` catches it). */
export class RaftFatal extends Error {
  override name = 'RaftFatal';
}

/** The node must stop: a rule that everything rests on does not hold. */
export function fatal(reason: string): never {
  throw new RaftFatal(reason);
}

// ---- timers ----

export function setTimer(state: RaftState, effects: RaftEffect[], id: TimerId, delayMs: Ms): void {
  const timer = state.timers[id];
  timer.generation++;
  timer.armed = true;
  timer.at = state.now + delayMs;
  effects.push({ type: 'setTimer', id, generation: timer.generation, at: timer.at });
}

export function cancelTimer(state: RaftState, effects: RaftEffect[], id: TimerId): void {
  const timer = state.timers[id];
  if (!timer.armed) return;
  timer.armed = false;
  effects.push({ type: 'cancelTimer', id });
}

/** Whether that firing is the one waited for; the timer is then no longer armed. */
export function takeTimer(state: RaftState, id: TimerId, generation: number): boolean {
  const timer = state.timers[id];
  if (!timer.armed || timer.generation !== generation) return false;
  timer.armed = false;
  return true;
}

/** drawn anew each time. */
export function setElectionTimer(state: RaftState, effects: RaftEffect[]): void {
  const base = state.config.electionTimeoutMs;
  setTimer(state, effects, 'election', base + state.random.below('election', base));
}

/** What failed is tried again after the backoff; what fails meanwhile joins in. */
export function retryLater(state: RaftState, effects: RaftEffect[]): void {
  if (!state.timers.retry.armed) setTimer(state, effects, 'retry', state.config.retryBackoffMs);
}

// ---- disk ----

/** writes epoch, leader and vote as they are now, unless that is what was written last. */
export function persistQuorumState(state: RaftState, effects: RaftEffect[]): void {
  const { leaderId, epoch, votedKey, written } = state;
  if (written?.leaderEpoch === epoch && written.leaderId === leaderId && written.votedKey === votedKey) return;
  const op = state.nextOp++;
  state.quorumStateOp = op;
  state.written = { leaderId, leaderEpoch: epoch, votedKey };
  effects.push({ type: 'writeQuorumState', op, state: state.written });
}

export function appendBatches(state: RaftState, effects: RaftEffect[], batches: readonly Batch[]): void {
  const op = state.nextOp++;
  state.logOp = op;
  state.log.append(batches, op);
  effects.push({ type: 'append', op, batches });
}

export function truncateLog(state: RaftState, effects: RaftEffect[], endOffset: Offset): void {
  const op = state.nextOp++;
  state.logOp = op;
  state.log.truncate(endOffset);
  effects.push({ type: 'truncate', op, endOffset });
}

/** the snapshots are `snapshots` now, and the log begins at the end of the first. */
export function trimLog(state: RaftState, effects: RaftEffect[], snapshots: readonly Snapshot[]): void {
  const [first] = snapshots;
  assert(first !== undefined, 'a log is trimmed to a snapshot');
  state.snapshots = snapshots;
  state.log.trim(first.id);
  effects.push({ type: 'catalogue', op: state.nextOp++, snapshots, clearLog: false });
}

/** the snapshot stands for all of the log. */
export function resetLog(state: RaftState, effects: RaftEffect[], snapshot: Snapshot): void {
  const op = state.nextOp++;
  state.logOp = op;
  state.snapshots = [snapshot];
  state.log.reset(snapshot, op);
  effects.push({ type: 'catalogue', op, snapshots: state.snapshots, clearLog: true });
}

function after(state: RaftState, op: OpId): OpId | undefined {
  return op > state.doneOp ? op : undefined;
}

// ---- messages ----

/** Sends a request; every one asserts the epoch (M-5a). `claimsLog`: it also says how far this log reaches (M-5b). */
export function call(
  state: RaftState,
  effects: RaftEffect[],
  to: NodeId,
  message: RaftRequest,
  claimsLog: boolean,
  timeoutMs = state.config.requestTimeoutMs,
): CallId {
  const id = state.nextCall++;
  state.calls.set(id, { to, message });
  const op = claimsLog ? Math.max(state.quorumStateOp, state.logOp) : state.quorumStateOp;
  effects.push({
    type: 'call',
    call: id,
    to,
    message,
    timeoutMs,
    after: after(state, op),
  });
  return id;
}

/** Answers a request once the epoch, leader and vote it speaks of are durable (M-5a). */
export function reply(state: RaftState, effects: RaftEffect[], id: CallId, message: RaftResponse): void {
  effects.push({ type: 'reply', call: id, message, after: afterQuorumState(state) });
}

/** What an answer waits for. */
export function afterQuorumState(state: RaftState): OpId | undefined {
  return after(state, state.quorumStateOp);
}

/** The leader that is known, and where it listens. */
export function leaderHint(state: RaftState): { readonly leaderId: NodeId; readonly leaderEndpoint: string } {
  const leaderId = knownLeader(state);
  return { leaderId, leaderEndpoint: endpointOf(state, leaderId) };
}

/** An answer to a fetch without content. */
export function fetchError(state: RaftState, error: RaftErrorCode): FetchResponse {
  return {
    type: 'fetch',
    error,
    epoch: state.epoch,
    ...leaderHint(state),
    highWatermark: -1,
    diverging: undefined,
    snapshotId: undefined,
    batches: [],
  };
}

export function quorumEpochResponse(state: RaftState, error: RaftErrorCode): QuorumEpochResponse {
  return { type: 'quorumEpoch', error, epoch: state.epoch, ...leaderHint(state) };
}

/** Says something to the operator once in this incarnation, by `event` and `about` (a node id or an epoch). */
export function noticeOnce(
  state: RaftState,
  effects: RaftEffect[],
  level: 'info' | 'warn' | 'error',
  event: string,
  fields: object,
  about = -1,
): void {
  const key = `${event} ${about}`;
  if (state.noticed.has(key)) return;
  state.noticed.add(key);
  effects.push({ type: 'notice', level, event, fields });
}
