// Calls and replies of a core on their way to the network: each waits for the disk operation that it names (M-5), each call
// id is used once and each request answered once (M-6).
import type { OpId, RaftRequest } from '../../raft/types.ts';
import { coverMessage } from './cover.ts';
import { sendRequest, sendResponse } from './network.ts';
import { observeEmitted, observeReleased } from './observe.ts';
import { noteOccurrence } from './triggers.ts';
import { check, Violation } from './violation.ts';
import type { HeldEffect, RaftMessage, SimNode, World } from './world.ts';

/** M-5: everything up to `op` is durable: what has waited for that leaves. */
export function releaseHeld(world: World, node: SimNode, op: OpId): void {
  let kept = 0;
  const { held } = node;
  for (const effect of held) {
    if ((effect.after as OpId) <= op) release(world, node, effect);
    else held[kept++] = effect;
  }
  held.length = kept;
}

export function emit(world: World, node: SimNode, effect: HeldEffect): void {
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

function freezeMessage(message: RaftMessage): void {
  if (message.type === 'fetch' && 'batches' in message) Object.freeze(message.batches);
  Object.freeze(message);
}
