// Feeds events to a core and carries its effects out in order, as quorum/ does over the real ports: disk operations are
// issued, messages wait for theirs (M-5), committed batches are applied. Reports everything to the observer.
import { unreachable } from '../../base/assert.ts';
import type { OpId, RaftEffect, RaftEvent, RaftRequest } from '../../raft/types.ts';
import { readClock, whenShows } from './clock.ts';
import { coverCommit, coverMessage, coverRole, coverTruncation } from './cover.ts';
import { foldNumber, foldText, recordsHash } from './hash.ts';
import { sendRequest, sendResponse } from './network.ts';
import {
  observeAppend,
  observeClaim,
  observeCommit,
  observeEmitted,
  observeReleased,
  observeRenounce,
  observeRole,
  observeStateWrite,
  observeTruncate,
} from './observe.ts';
import { startSync } from './sync.ts';
import { noteOccurrence } from './triggers.ts';
import { check, Violation } from './violation.ts';
import type { HeldEffect, SimNode, World } from './world.ts';

type EffectOf<T extends RaftEffect['type']> = Extract<RaftEffect, { type: T }>;

/** The local time of an event of this node. */
export function localNow(world: World, node: SimNode): number {
  return readClock(node.clock, world.now);
}

/** One step of the core, or one more in the queue of a paused process. */
export function feed(world: World, node: SimNode, event: RaftEvent): void {
  if (node.paused) node.waiting.push(event);
  else runStep(world, node, event);
}

/** M-5: what has waited for `op` leaves, then the core hears of it. */
export function feedDiskDone(world: World, node: SimNode, event: Extract<RaftEvent, { type: 'diskDone' }>): void {
  let kept = 0;
  const { held } = node;
  for (const effect of held) {
    if ((effect.after as OpId) <= event.op) release(world, node, effect);
    else held[kept++] = effect;
  }
  held.length = kept;
  runStep(world, node, event);
}

export function runStep(world: World, node: SimNode, event: RaftEvent): void {
  if (node.raft === undefined) return;
  const effects = world.effects;
  effects.length = 0;
  try {
    world.core.step(node.raft, event, effects);
  } catch (error) {
    throw new Violation('S-X2', `node ${node.view.id} threw at ${event.type}: ${String(error)}`);
  }
  let applied = false;
  for (const effect of effects) {
    carryOut(world, node, effect, event);
    if (effect.type === 'commit') applied = true;
  }
  if (applied) applySoon(world, node);
}

function carryOut(world: World, node: SimNode, effect: RaftEffect, cause: RaftEvent): void {
  world.hash = foldText(world.hash, effect.type);
  if (world.trace !== undefined && effect.type !== 'setTimer' && effect.type !== 'cancelTimer') {
    world.trace(`${(world.now / 1000).toFixed(3)} ${node.view.id} -> ${describeEffect(effect)}`);
  }
  switch (effect.type) {
    case 'writeQuorumState':
      observeStateWrite(world.observer, node.view, effect.op, effect.state);
      return startSync(world, node);
    case 'append':
      return append(world, node, effect);
    case 'truncate':
      coverTruncation(world, node, effect.endOffset);
      observeTruncate(world.observer, node.view, effect.op, effect.endOffset);
      noteOccurrence(world, node, 'truncated');
      return startSync(world, node);
    case 'call':
    case 'reply':
      return emit(world, node, effect);
    case 'setTimer':
      return setTimer(world, node, effect);
    case 'cancelTimer':
      node.timers.delete(effect.id);
      return;
    case 'commit':
      return commit(world, node, effect);
    case 'proposed':
      return accepted(world, node, effect);
    case 'refused':
      world.coverage.proposalsRefused++;
      check('R-5.2', node.proposing.delete(effect.token), () => `node ${node.view.id} refuses ${effect.token} twice`);
      return;
    case 'role':
      return changeRole(world, node, effect, cause);
    case 'claim':
      world.coverage.claims++;
      observeClaim(world.observer, node.view, effect.epoch);
      return noteOccurrence(world, node, 'claimed');
    case 'renounce':
      world.coverage.renounces++;
      return observeRenounce(world.observer, node.view, effect.epoch);
    case 'notice':
      if (effect.level === 'error') world.coverage.integrityNotices++;
      return;
    case 'fatal':
      throw new Violation('S-X2', `node ${node.view.id}: ${effect.reason}`);
    case 'catalogue':
    case 'serveSnapshot':
    case 'receiveSnapshot':
    case 'finishSnapshot':
    case 'loadSnapshot':
    case 'voters':
    case 'voterChange':
      return;
    default:
      unreachable(effect, 'raft effect');
  }
}

function append(world: World, node: SimNode, effect: EffectOf<'append'>): void {
  if (world.scenario.config.freezeMessages) Object.freeze(effect.batches);
  const created = observeAppend(world.observer, node.view, effect.op, effect.batches);
  world.hash = foldNumber(world.hash, node.view.disk.written[node.view.disk.written.length - 1]?.chain ?? 0);
  node.divergences = 0;
  for (const { batch } of created) {
    if (batch.control) continue;
    // a batch is a proposal as it was made, and each proposal one batch.
    const hash = recordsHash(0, batch.records);
    let token = -1;
    for (const [asked, proposed] of node.proposing) if (proposed === hash) token = asked;
    check('R-5.2', token >= 0, () => `leader ${node.view.id} appends at ${batch.baseOffset} what nobody proposed`);
    node.proposing.set(token, -1 - batch.baseOffset);
  }
  noteOccurrence(world, node, created.length > 0 ? 'appended' : 'replicated');
  startSync(world, node);
}

/** The answer to a proposal names the batch that was appended for it. */
function accepted(world: World, node: SimNode, { token, baseOffset, lastOffset }: EffectOf<'proposed'>): void {
  world.coverage.proposalsAccepted++;
  const last = node.view.disk.written[node.view.disk.written.length - 1];
  check(
    'R-5.2',
    node.proposing.get(token) === -1 - baseOffset && last?.endOffset === lastOffset + 1,
    () => `node ${node.view.id} answers proposal ${token} with ${baseOffset}..${lastOffset}, which is not its batch`,
  );
  node.proposing.delete(token);
}

function changeRole(world: World, node: SimNode, effect: EffectOf<'role'>, cause: RaftEvent): void {
  const { role, epoch } = node.view;
  coverRole(world, node, effect, cause);
  observeRole(world.observer, node.view, effect);
  world.hash = foldNumber(world.hash, effect.epoch);
  if (effect.role === role && effect.epoch === epoch) return;
  if (effect.role === 'leader') noteOccurrence(world, node, 'becameLeader');
  else if (effect.role === 'candidate') noteOccurrence(world, node, 'becameCandidate');
  else if (effect.role === 'resigned') noteOccurrence(world, node, 'resigned');
}

function commit(world: World, node: SimNode, effect: EffectOf<'commit'>): void {
  coverCommit(world, node, effect.batches);
  observeCommit(world.observer, node.view, effect.highWatermark, effect.batches);
  world.hash = foldNumber(world.hash, effect.highWatermark);
  if (node.view.role === 'leader') noteOccurrence(world, node, 'hwAdvanced');
}

/** the state machine applies at once, or later while it is made slow. */
function applySoon(world: World, node: SimNode): void {
  const { id, incarnation, highWatermark } = node.view;
  const delayMs = world.phase === 'faults' ? world.scenario.config.applyDelayMs : 0;
  world.queue.push(world.now + delayMs * 1000, { kind: 'applied', node: id, incarnation, endOffset: highWatermark });
}

function setTimer(world: World, node: SimNode, effect: EffectOf<'setTimer'>): void {
  const setting = world.nextSetting++;
  const { id, incarnation } = node.view;
  node.timers.set(effect.id, { generation: effect.generation, atMs: effect.at, setting });
  const at = whenShows(node.clock, effect.at, world.now);
  world.queue.push(at, { kind: 'timer', node: id, incarnation, id: effect.id, setting });
}

// ---- messages ----

function emit(world: World, node: SimNode, effect: HeldEffect): void {
  if (world.scenario.config.freezeMessages) freezeMessage(effect.message);
  observeEmitted(world.observer, node.view, effect.message, effect.after);
  if (effect.type === 'reply') {
    check(
      'M-6',
      node.inbound.has(effect.call),
      () => `node ${node.view.id} answers call ${effect.call} twice or unasked`,
    );
  } else {
    const to = effect.to;
    check('M-6', !node.outbound.has(effect.call), () => `node ${node.view.id} uses call id ${effect.call} again`);
    check('S-X2', to !== node.view.id && to < world.nodes.length, () => `node ${node.view.id} calls node ${to}`);
  }
  if (effect.after === undefined || effect.after <= node.view.disk.syncedOp) release(world, node, effect);
  else node.held.push(effect);
}

function release(world: World, node: SimNode, effect: HeldEffect): void {
  if (effect.type === 'call') {
    observeReleased(world.observer, node.view, effect.message, undefined);
    sendRequest(world, node, effect.to, effect.call, effect.message, effect.timeoutMs);
    return;
  }
  const inbound = node.inbound.get(effect.call);
  if (inbound === undefined) throw new Violation('M-6', `node ${node.view.id} answers call ${effect.call} twice`);
  node.inbound.delete(effect.call);
  coverMessage(world, node, inbound.message, effect.message);
  observeReleased(world.observer, node.view, effect.message, inbound.message);
  sendResponse(world, node, inbound, effect.message);
  if (effect.message.type === 'vote' && effect.message.granted && isRealVote(inbound.message)) {
    noteOccurrence(world, node, 'voteGranted');
  } else if (effect.message.type === 'fetch' && effect.message.diverging !== undefined) {
    noteOccurrence(world, node, 'diverging');
  }
}

function isRealVote(request: RaftRequest): boolean {
  return request.type === 'vote' && !request.preVote;
}

function freezeMessage(message: HeldEffect['message']): void {
  if (message.type === 'fetch' && 'batches' in message) Object.freeze(message.batches);
  Object.freeze(message);
}

/** For traces: batches by offset and epoch only. */
export function describeEffect(effect: RaftEffect | RaftEvent): string {
  return JSON.stringify(effect, (key, value: unknown) => {
    if (key === 'clusterId' || key === 'durable') return undefined;
    if (key === 'directoryId' && typeof value === 'string') return value.slice(0, 4);
    if (key === 'records' && Array.isArray(value)) return value.length;
    return value;
  });
}
