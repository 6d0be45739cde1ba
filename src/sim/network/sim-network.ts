// The network of a simulated world, as its nemesis controls it, and the Network port of one incarnation over it.
import type { Clock } from '../../env/clock.ts';
import type { ByteStream, Network, StreamHandler } from '../../env/network.ts';
import type { Incarnation } from '../world/incarnation.ts';
import type { Scheduler } from '../world/scheduler.ts';
import type { LinkSettings } from './links.ts';
import { rpcClient, serveRpc } from './rpc.ts';
import { breakCall, endCallsOf, RpcFabric } from './rpc-call.ts';
import { connectStream, listenStreams } from './streams.ts';

function refuseStream(stream: ByteStream): StreamHandler {
  stream.close('abort');
  return { data: () => {}, closed: () => {} };
}

export class SimNetwork {
  readonly #fabric: RpcFabric;

  /** `reportBug` takes what handlers throw that is no RpcError (S-X2). */
  constructor(scheduler: Scheduler, reportBug: (error: unknown, from: Incarnation) => void) {
    this.#fabric = new RpcFabric(scheduler, reportBug);
  }

  // ---- controls ----

  /** Loss and latency of every link that has no settings of its own; change them before links are set. */
  get defaults(): LinkSettings {
    return this.#fabric.links.defaults;
  }

  /** Chance, 0 .. 1, that an RPC request is delivered twice, the second time up to `delayMs` later. */
  duplicateRequests(chance: number, delayMs = 500): void {
    this.#fabric.duplicateChance = chance;
    this.#fabric.duplicateDelayMs = delayMs;
  }

  /** Chance, 0 .. 1, that bytes sent together reach the reader in two pieces; 0.1 unless set. */
  splitSegments(chance: number): void {
    this.#fabric.cable.splitChance = chance;
  }

  /** How long a silent peer is believed to live: by byte streams, and by calls with longer deadlines. */
  setSilenceLimits(streamResetMs: number, rpcKeepAliveMs: number): void {
    this.#fabric.cable.resetAfterMs = streamResetMs;
    this.#fabric.keepAliveMs = rpcKeepAliveMs;
  }

  link(from: string, to: string): Readonly<LinkSettings> {
    return this.#fabric.links.get(from, to);
  }

  /** Changes the link from one host to another; the other direction stays as it is. */
  setLink(from: string, to: string, change: Partial<LinkSettings>): void {
    this.#fabric.links.set(from, to, change);
    this.#fabric.cable.retry();
  }

  /** Nothing gets from one host to the other; the other direction stays as it is. */
  cut(from: string, to: string): void {
    this.setLink(from, to, { up: false });
  }

  /** Nothing gets from one group to another, either way. Hosts in no group reach everybody. */
  partition(...groups: readonly (readonly string[])[]): void {
    for (const [index, group] of groups.entries()) {
      for (const other of groups.slice(index + 1)) {
        for (const a of group) for (const b of other) this.#cutBoth(a, b);
      }
    }
  }

  /** Nothing gets to or from this host, of the hosts there are by now. */
  isolate(host: string): void {
    for (const other of this.#fabric.hostNames()) if (other !== host) this.#cutBoth(host, other);
  }

  /** Every link is up; loss and latency stay. */
  heal(): void {
    this.#fabric.links.allUp();
    this.#fabric.cable.retry();
  }

  /** Every link is as the defaults say. */
  resetLinks(): void {
    this.#fabric.links.reset();
    this.#fabric.cable.retry();
  }

  /** Breaks every stream and running call between two hosts; both sides notice. */
  resetConnections(a: string, b: string): void {
    this.#fabric.cable.resetBetween(a, b);
    for (const call of [...this.#fabric.inFlight]) {
      const isBetween = (call.from === a && call.to === b) || (call.from === b && call.to === a);
      if (isBetween) breakCall(this.#fabric, call);
    }
  }

  /** What the process on `host` has open: streams, listeners, calls under way. */
  openAt(host: string): { streams: number; listeners: number; calls: number } {
    return {
      streams: this.#fabric.cable.openAt(host),
      listeners: this.#fabric.host(host).boundPorts,
      calls: [...this.#fabric.inFlight].filter(({ from }) => from === host).length,
    };
  }

  // ---- for processes ----

  /** The host exists from here on. */
  addHost(name: string): void {
    this.#fabric.host(name);
  }

  started(incarnation: Incarnation): void {
    const host = this.#fabric.host(incarnation.host);
    host.isPowered = true;
    host.incarnation = incarnation;
  }

  killed(incarnation: Incarnation): void {
    this.#fabric.host(incarnation.host).clear();
    this.#fabric.cable.kill(incarnation);
    endCallsOf(this.#fabric, incarnation, false);
  }

  /** The host is off until its process starts again. */
  powerCut(host: string, incarnation: Incarnation | undefined): void {
    this.#fabric.host(host).clear();
    this.#fabric.host(host).isPowered = false;
    if (incarnation === undefined) return;
    this.#fabric.cable.powerCut(incarnation);
    endCallsOf(this.#fabric, incarnation, true);
  }

  port(incarnation: Incarnation, clock: Clock): Network {
    const fabric = this.#fabric;
    return {
      listen: (at, accept) => listenStreams(fabric, incarnation, clock, at, accept),
      connect: (to, timeoutMs, attach) => connectStream(fabric, incarnation, clock, to, timeoutMs, attach),
      serve: (at, services) => serveRpc(fabric, incarnation, clock, at, services),
      // The address is taken as in the real world; nobody in a simulation speaks HTTP, so there is nothing to answer.
      serveHttp: (at) => listenStreams(fabric, incarnation, clock, at, refuseStream),
      client: (to) => rpcClient(fabric, incarnation, clock, to),
    };
  }

  #cutBoth(a: string, b: string): void {
    this.cut(a, b);
    this.cut(b, a);
  }
}
