// Simulated RPC (safety.md 8.3). Unary: request and response are messages of their own, each may be lost, late, and (the
// request) delivered twice. Every message passes through the method's real encoding. A call answers its caller at most
// once, and never another incarnation of it (M-6). Streams of answers are in rpc-stream-client.ts and rpc-stream-server.ts.
import type { Clock } from '../../env/clock.ts';
import type { Address, Listener, RpcClient, RpcMethod, RpcService, RpcServiceDefinition } from '../../env/network.ts';
import { RpcError } from '../../env/network.ts';
import type { Incarnation } from '../world/incarnation.ts';
import type { Binding } from './hosts.ts';
import { hostNamed } from './hosts.ts';
import type { RpcCall, RpcFabric } from './rpc-call.ts';
import { answerCall, breakCall, failCall, loseCall } from './rpc-call.ts';
import type { StreamCaller } from './rpc-stream-client.ts';
import { callStream } from './rpc-stream-client.ts';
import type { StreamServer } from './rpc-stream-server.ts';
import { ServedStream } from './rpc-stream-server.ts';
import { bindSoon } from './streams.ts';

/** How long the close of a server lets running calls end. */
const CLOSE_LIMIT_MS = 1000;

export function serveRpc(
  fabric: RpcFabric,
  incarnation: Incarnation,
  clock: Clock,
  at: Address,
  services: readonly RpcService[],
): Promise<Listener> {
  const byName = new Map(services.map((service) => [service.definition.fullName, service]));
  const streaming: StreamServer = {
    services: byName,
    clock,
    bug: (error) => fabric.reportBug(error, incarnation),
    streams: new Set(),
    whenEmpty: () => undefined,
  };
  const binding: Binding = { incarnation, accept: (stream) => new ServedStream(streaming, stream), services: byName };
  return bindSoon(fabric, incarnation, at, binding, () => {
    return new Promise((resolve) => {
      let isOver = false;
      const settle = (): void => {
        if (isOver || fabric.runningOf(binding).size > 0 || streaming.streams.size > 0) return;
        isOver = true;
        timer.cancel();
        fabric.idle.delete(binding);
        fabric.running.delete(binding);
        fabric.scheduler.schedule(1, 'listener', incarnation, resolve);
      };
      const timer = clock.schedule(CLOSE_LIMIT_MS, () => {
        for (const call of [...fabric.runningOf(binding)]) breakCall(fabric, call);
        for (const stream of [...streaming.streams]) stream.abort();
      });
      fabric.idle.set(binding, settle);
      streaming.whenEmpty = settle;
      for (const stream of [...streaming.streams]) stream.close();
      settle();
    });
  });
}

export function rpcClient(fabric: RpcFabric, incarnation: Incarnation, clock: Clock, to: Address): RpcClient {
  const outstanding = new Set<RpcCall>();
  let closed = false;
  const port = fabric.host(incarnation.host).ephemeralPort();
  const streams: StreamCaller = { fabric, incarnation, clock, to, running: new Set() };
  return {
    async *stream(service, method, request, timeoutMs) {
      if (closed) throw new RpcError('CANCELLED', 'the client is closed', 'refused');
      yield* callStream(streams, service, method, request, timeoutMs);
    },
    call: <Request, Response>(
      service: RpcServiceDefinition,
      method: RpcMethod<Request, Response>,
      request: Request,
      timeoutMs: number,
    ) =>
      new Promise<Response>((resolve, reject) => {
        if (incarnation.isDead) return;
        if (closed) {
          reject(new RpcError('CANCELLED', 'the client is closed', 'refused'));
          return;
        }
        const timer = clock.schedule(timeoutMs, () =>
          call.settle(new RpcError('DEADLINE_EXCEEDED', `${method.name} took longer than ${timeoutMs} ms`)),
        );
        const call: RpcCall = {
          client: incarnation,
          from: incarnation.host,
          to: hostNamed(to.host, incarnation.host),
          port: to.port,
          peer: `${incarnation.host}:${port}`,
          service: service.fullName,
          method: method.name,
          request: method.requestType.encode(request).finish(),
          timeoutMs,
          binding: undefined,
          isSettled: false,
          settle(outcome) {
            if (call.isSettled) return;
            call.isSettled = true;
            timer.cancel();
            outstanding.delete(call);
            fabric.inFlight.delete(call);
            if (outcome instanceof RpcError) reject(outcome);
            else resolve(method.responseType.decode(Buffer.from(outcome)));
          },
        };
        outstanding.add(call);
        fabric.inFlight.add(call);
        send(fabric, call);
      }),
    close() {
      if (closed || incarnation.isDead) return;
      closed = true;
      const error = new RpcError('CANCELLED', 'the client was closed', 'broken');
      for (const call of [...outstanding]) call.settle(error);
      for (const stream of [...streams.running]) stream.fail(error);
    },
  };
}

/** The request leaves, perhaps twice. */
function send(fabric: RpcFabric, call: RpcCall): void {
  const { scheduler, links } = fabric;
  if (links.loses(call.from, call.to)) {
    loseCall(fabric, call);
    return;
  }
  const delayUs = links.latencyUs(call.from, call.to);
  const size = call.request.length;
  scheduler.schedule(delayUs, 'rpc-request', undefined, () => arrive(fabric, call, false), size);
  const key = `duplicate.${call.from}>${call.to}`;
  if (fabric.duplicateChance === 0 || !scheduler.random.chance(key, fabric.duplicateChance)) return;
  const laterUs = delayUs + scheduler.between(key, 1, fabric.duplicateDelayMs * 1000);
  scheduler.schedule(laterUs, 'rpc-request', undefined, () => arrive(fabric, call, true), size);
}

function arrive(fabric: RpcFabric, call: RpcCall, isDuplicate: boolean): void {
  const host = fabric.host(call.to);
  const binding = host.binding(call.port);
  if (!host.isPowered) {
    if (!isDuplicate) loseCall(fabric, call);
    return;
  }
  if (binding?.services === undefined) {
    if (!isDuplicate) failCall(fabric, call, new RpcError('UNAVAILABLE', `${call.to}:${call.port} refused`, 'refused'));
    return;
  }
  if (!isDuplicate) {
    call.binding = binding;
    fabric.runningOf(binding).add(call);
  }
  fabric.scheduler.deliver('rpc-request', binding.incarnation, () => {
    void answerCall(fabric, call, binding, isDuplicate);
  });
}
