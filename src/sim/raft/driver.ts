// Feeds events to a core and carries its effects out in order, as quorum/ does over the real ports: disk operations are
// issued, messages wait for theirs (M-5), committed batches are applied. Reports everything to the observer.
import { unreachable } from '../../base/assert.ts';
import type { RaftEffect, RaftEvent } from '../../raft/types.ts';
import { readClock, whenShows } from './clock.ts';
import { coverCommit, coverRole, coverTruncation } from './cover.ts';
import { namesOf } from './ghost.ts';
import { foldNumber, foldText, recordsHash } from './hash.ts';
import { wholeOf } from './log-entry.ts';
import { emit, releaseHeld } from './messages.ts';
import {
  observeAppend,
  observeClaim,
  observeCommit,
  observeRenounce,
  observeRole,
  observeStateWrite,
  observeTruncate,
} from './observe.ts';
import { catalogue, finishDownload, loadSnapshot, receivePiece, servedBytes, settleFiles } from './snapshot-effects.ts';
import { startSync } from './sync.ts';
import { noteOccurrence } from './triggers.ts';
import { check, Violation } from './violation.ts';
import { answerChange } from './voter-answers.ts';
import { sameVoters } from './voter-sets.ts';
import type { SimNode, World } from './world.ts';

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
  releaseHeld(world, node, event.op);
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
    if (effect.type === 'commit' || effect.type === 'loadSnapshot') applied = true;
  }
  if (applied) applySoon(world, node);
  if (event.type === 'snapshotTaken') settleFiles(world, node, event.snapshot, true);
  else if (event.type === 'snapshotReceived') settleFiles(world, node, event.snapshot, false);
  checkVotersTold(node);
}

/** the voter set that the core has told of is that of its log. */
function checkVotersTold({ view }: SimNode): void {
  const inForce = wholeOf(view.disk.written).voters;
  if (inForce === view.toldVoters) return;
  check(
    'S-R11',
    inForce === undefined || sameVoters(inForce, view.voters),
    () => `node ${view.id} takes ${namesOf(view.voters ?? [])} for the voters, its log says ${namesOf(inForce ?? [])}`,
  );
  view.toldVoters = inForce;
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
      return catalogue(world, node, effect);
    case 'serveSnapshot': {
      const { call, response, after } = effect;
      const message = { ...response, bytes: servedBytes(node, effect) };
      return emit(world, node, { type: 'reply', call, message, after });
    }
    case 'receiveSnapshot':
      return receivePiece(world, node, effect);
    case 'finishSnapshot':
      return finishDownload(world, node, effect);
    case 'loadSnapshot':
      return loadSnapshot(world, node, effect);
    case 'voters':
      node.view.voters = effect.voters;
      node.view.toldVoters = undefined;
      return;
    case 'voterChange':
      return answerChange(world, node, effect);
    default:
      unreachable(effect, 'raft effect');
  }
}

function append(world: World, node: SimNode, effect: EffectOf<'append'>): void {
  if (world.scenario.config.freezeMessages) Object.freeze(effect.batches);
  const created = observeAppend(world.observer, node.view, effect.op, effect.batches);
  world.hash = foldNumber(world.hash, wholeOf(node.view.disk.written).chain);
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
  const last = wholeOf(node.view.disk.written);
  check(
    'R-5.2',
    node.proposing.get(token) === -1 - baseOffset && last.endOffset === lastOffset + 1,
    () => `node ${node.view.id} answers proposal ${token} with ${baseOffset}..${lastOffset}, which is not its batch`,
  );
  node.proposing.delete(token);
}

function changeRole(world: World, node: SimNode, effect: EffectOf<'role'>, cause: RaftEvent): void {
  const { role, epoch } = node.view;
  coverRole(world, node, effect, cause);
  observeRole(world.observer, node.view, effect);
  world.states.note(world.observer.ghost.nodes);
  world.hash = foldNumber(world.hash, effect.epoch);
  if (effect.role === role && effect.epoch === epoch) return;
  forgetDownload(world, node);
  if (effect.role === 'leader') noteOccurrence(world, node, 'becameLeader');
  else if (effect.role === 'candidate') noteOccurrence(world, node, 'becameCandidate');
  else if (effect.role === 'resigned') noteOccurrence(world, node, 'resigned');
}

/** A role change ends a download: what comes afterwards begins anew. */
function forgetDownload(world: World, { snapshots }: SimNode): void {
  if (snapshots.download === undefined && snapshots.finishing === undefined) return;
  snapshots.download = undefined;
  world.coverage.snapshotsDuringElection++;
}

function commit(world: World, node: SimNode, effect: EffectOf<'commit'>): void {
  coverCommit(world, node, effect.batches);
  const first = observeCommit(world.observer, node.view, effect.highWatermark, effect.batches);
  for (const entry of first) {
    if (entry.voterRecords === entry.previous.voterRecords || entry.previous.voters === undefined) continue;
    world.coverage.voterChangesCommitted++;
    noteOccurrence(world, node, 'votersCommitted');
  }
  world.hash = foldNumber(world.hash, effect.highWatermark);
  if (node.view.role === 'leader') noteOccurrence(world, node, 'hwAdvanced');
}

/** the state machine applies at once, or later while it is made slow or loads. */
function applySoon(world: World, node: SimNode): void {
  const { id, incarnation, highWatermark } = node.view;
  const delayMs = world.phase === 'faults' ? world.scenario.config.applyDelayMs : 0;
  const at = Math.max(world.now + delayMs * 1000, node.snapshots.loadedAt);
  world.queue.push(at, { kind: 'applied', node: id, incarnation, endOffset: highWatermark });
}

function setTimer(world: World, node: SimNode, effect: EffectOf<'setTimer'>): void {
  const setting = world.nextSetting++;
  const { id, incarnation } = node.view;
  node.timers.set(effect.id, { generation: effect.generation, atMs: effect.at, setting });
  const at = whenShows(node.clock, effect.at, world.now);
  world.queue.push(at, { kind: 'timer', node: id, incarnation, id: effect.id, setting });
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
