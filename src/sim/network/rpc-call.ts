// One simulated call on its way: running the handler, and the ways in which its caller learns how it ended.
import type { RpcHandler, RpcMethod, RpcService } from '../../env/network.ts';
import { RpcError } from '../../env/network.ts';
import { readRequest } from '../../env/rpc-request.ts';
import type { Incarnation } from '../world/incarnation.ts';
import type { Scheduler } from '../world/scheduler.ts';
import { Fabric } from './fabric.ts';
import type { Binding } from './hosts.ts';
import { asAnswered } from './rpc-frames.ts';

export interface RpcCall {
  readonly client: Incarnation;
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly peer: string;
  readonly service: string;
  readonly method: string;
  readonly request: Uint8Array;
  readonly timeoutMs: number;
  /** Who runs it, from the arrival of the request until the answer left. */
  binding: Binding | undefined;
  isSettled: boolean;
  settle(outcome: Uint8Array | RpcError): void;
}

/** The fabric with the state of RPC. */
export class RpcFabric extends Fabric {
  /** Chance, 0 .. 1, that a request is delivered a second time (a retry); its answer is dropped. */
  duplicateChance = 0;
  duplicateDelayMs = 500;
  /** A call whose message was lost in silence ends as broken after so long, if its caller waits that long. */
  keepAliveMs = 8000;
  readonly inFlight = new Set<RpcCall>();
  readonly running = new Map<Binding, Set<RpcCall>>();
  /** Told when the last running call of a closing server ended. */
  readonly idle = new Map<Binding, () => void>();
  readonly reportBug: (error: unknown, from: Incarnation) => void;

  constructor(scheduler: Scheduler, reportBug: (error: unknown, from: Incarnation) => void) {
    super(scheduler);
    this.reportBug = reportBug;
  }

  runningOf(binding: Binding): Set<RpcCall> {
    let calls = this.running.get(binding);
    if (calls === undefined) {
      calls = new Set();
      this.running.set(binding, calls);
    }
    return calls;
  }
}

/** Runs the handler and sends its answer, unless the process died meanwhile. */
export async function answerCall(
  fabric: RpcFabric,
  call: RpcCall,
  binding: Binding,
  isDuplicate: boolean,
): Promise<void> {
  const outcome = await outcomeOf(fabric, call, binding);
  if (binding.incarnation.isDead || isDuplicate || call.binding !== binding) return;
  endRunning(fabric, call);
  respond(fabric, call, outcome);
}

async function outcomeOf(fabric: RpcFabric, call: RpcCall, binding: Binding): Promise<Uint8Array | RpcError> {
  try {
    const service = binding.services?.get(call.service);
    const handling = service === undefined ? undefined : handlerOf(service, call.method);
    if (handling === undefined) return new RpcError('UNIMPLEMENTED', `no method ${call.service}/${call.method}`);
    const request: unknown = readRequest(handling.method, Buffer.from(call.request));
    const response = await handling.handler(request, { peer: call.peer, remainingMs: call.timeoutMs });
    return handling.method.responseType.encode(response).finish();
  } catch (error) {
    if (error instanceof RpcError) return asAnswered(error);
    if (!binding.incarnation.isDead) fabric.reportBug(error, binding.incarnation);
    return new RpcError('INTERNAL', 'internal error, see the log of the server');
  }
}

function handlerOf(service: RpcService, name: string) {
  for (const [key, method] of Object.entries(service.definition.methods)) {
    if (method.name !== name || method.responseStream === true) continue;
    const handler = service.handlers[key] as RpcHandler<unknown, unknown> | undefined;
    if (handler !== undefined) return { method: method as RpcMethod<unknown, unknown>, handler };
  }
  return undefined;
}

/** The answer travels, or is lost. */
function respond(fabric: RpcFabric, call: RpcCall, outcome: Uint8Array | RpcError): void {
  if (fabric.links.loses(call.to, call.from)) {
    loseCall(fabric, call);
    return;
  }
  const size = outcome instanceof RpcError ? 0 : outcome.length;
  const delayUs = fabric.links.latencyUs(call.to, call.from);
  fabric.scheduler.schedule(delayUs, 'rpc-response', call.client, () => call.settle(outcome), size);
}

/** What the transport tells the caller, if the way back works. */
export function failCall(fabric: RpcFabric, call: RpcCall, error: RpcError): void {
  respond(fabric, call, error);
}

/** Nothing will come; the keep-alive notices in the end, where the deadline does not come first. */
export function loseCall(fabric: RpcFabric, call: RpcCall): void {
  if (call.isSettled || call.timeoutMs <= fabric.keepAliveMs) return;
  fabric.scheduler.schedule(fabric.keepAliveMs * 1000, 'rpc-response', call.client, () => call.settle(broken(call)));
}

/** The connection of a running call broke, and both sides notice. */
export function breakCall(fabric: RpcFabric, call: RpcCall): void {
  endRunning(fabric, call);
  respond(fabric, call, broken(call));
}

function broken(call: RpcCall): RpcError {
  return new RpcError('UNAVAILABLE', `the connection with ${call.to}:${call.port} broke`, 'broken');
}

/** The call is not running any more; a server that waits for its calls to close may go on. */
function endRunning(fabric: RpcFabric, call: RpcCall): void {
  const { binding } = call;
  if (binding === undefined) return;
  call.binding = undefined;
  const running = fabric.runningOf(binding);
  running.delete(call);
  if (running.size === 0) fabric.idle.get(binding)?.();
}

/** The server process ended: its callers learn of it after a kill, and hear nothing after a power cut. */
export function endCallsOf(fabric: RpcFabric, incarnation: Incarnation, silently: boolean): void {
  for (const [binding, calls] of [...fabric.running]) {
    if (binding.incarnation !== incarnation) continue;
    fabric.running.delete(binding);
    fabric.idle.delete(binding);
    for (const call of calls) {
      if (silently) loseCall(fabric, call);
      else breakCall(fabric, call);
    }
  }
  for (const call of [...fabric.inFlight]) if (call.client === incarnation) fabric.inFlight.delete(call);
}
