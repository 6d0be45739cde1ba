// Calls between simulated processes (safety.md 8.3): request and response are sampled apart, one direction at a time.
// A lost message ends in the caller's timeout; a dead process refuses, a dead machine is silent.
import type { CallFailure, RaftRequest, RaftResponse } from '../../raft/types.ts';
import { whenShows } from './clock.ts';
import type { Us } from './event-queue.ts';
import type { InboundCall, Link, SimNode, World } from './world.ts';
import { aliveProcess, isFaulty } from './world.ts';

/** One-way time outside the fault phase. */
const CALM_US = 300;

function linkOf(world: World, from: number, to: number): Link {
  return world.links[from * world.nodes.length + to] as Link;
}

/** When a message that leaves now arrives; undefined if it does not. */
function arrival(world: World, from: number, to: number): Us | undefined {
  const link = linkOf(world, from, to);
  if (!isFaulty(world)) return world.now + CALM_US + link.draws.below(CALM_US);
  const { baseUs, tailUs, tailPermille, lossPermille } = world.scenario.config.network;
  const lost = link.draws.chance(lossPermille);
  let delay = baseUs + link.draws.below(baseUs + 1);
  if (link.draws.chance(tailPermille)) delay += link.draws.below(tailUs + 1);
  if (lost || link.cuts > 0) {
    world.coverage.lostMessages++;
    return undefined;
  }
  return world.now + delay;
}

/** A request leaves `from` as its call `call`. */
export function sendRequest(
  world: World,
  from: SimNode,
  to: number,
  call: number,
  message: RaftRequest,
  timeoutMs: number,
): void {
  const { id, incarnation } = from.view;
  from.outbound.set(call, { to });
  const deadline = whenShows(from.clock, from.clock.lastMs + timeoutMs, world.now);
  world.queue.push(deadline, { kind: 'callFailed', node: id, incarnation, call, failure: 'timeout' });
  const event = { kind: 'request', from: id, to, incarnation, call, message } as const;
  const at = arrival(world, id, to);
  if (at !== undefined) world.queue.push(at, event);
  if (!isFaulty(world) || !linkOf(world, id, to).draws.chance(world.scenario.config.network.duplicatePermille)) return;
  const again = arrival(world, id, to);
  if (again === undefined) return;
  world.coverage.duplicatedRequests++;
  world.queue.push(again, event);
}

/** The answer of `from` leaves for the process that called. */
export function sendResponse(world: World, from: SimNode, inbound: InboundCall, message: RaftResponse): void {
  const event = {
    kind: 'response',
    node: inbound.from,
    incarnation: inbound.incarnation,
    call: inbound.call,
    message,
  } as const;
  const at = arrival(world, from.view.id, inbound.from);
  if (at !== undefined) world.queue.push(at, event);
  if (!isFaulty(world)) return;
  const { hostilePermille } = world.scenario.config.network;
  const { draws } = linkOf(world, from.view.id, inbound.from);
  // M-6: the same answer again, up to three seconds late.
  if (draws.chance(hostilePermille)) world.queue.push(world.now + 1 + draws.below(3_000_000), event);
}

/** The caller learns that its call cannot be answered, if the way back is open. */
export function sendFailure(world: World, from: number, inbound: InboundCall, failure: CallFailure): void {
  const at = arrival(world, from, inbound.from);
  if (at === undefined) return;
  const { from: node, incarnation, call } = inbound;
  world.queue.push(at, { kind: 'callFailed', node, incarnation, call, failure });
}

/** Whether an answer or failure of this call still reaches its process; it is then answered. */
export function takeOutbound(world: World, node: SimNode, incarnation: number, call: number, late: boolean): boolean {
  if (!aliveProcess(node, incarnation)) return false;
  if (node.outbound.delete(call)) return true;
  if (!late || world.scenario.config.network.hostilePermille === 0) return false;
  world.coverage.lateResponses++;
  return true;
}
