// Carries segments between the ends of byte streams: latency, loss as late arrival, cuts as silence and then a reset.
import { assert } from '../../base/assert.ts';
import { EnvError } from '../../env/error.ts';
import type { SimEvent } from '../world/event.ts';
import type { Incarnation } from '../world/incarnation.ts';
import type { Scheduler } from '../world/scheduler.ts';
import type { Carrier, Endpoint, Segment } from './endpoint.ts';
import type { Host } from './hosts.ts';
import type { Links } from './links.ts';

/** A lost segment is sent again after so long, doubled each time. */
const RETRANSMIT_US = 200_000;
const MAX_RETRANSMITS = 6;

export class Cable implements Carrier {
  /** Chance, 0 .. 1, that a segment reaches its reader in two pieces. */
  splitChance = 0.1;
  /** A stream that gets nothing across for so long is reset. */
  resetAfterMs = 10_000;
  readonly #scheduler: Scheduler;
  readonly #links: Links;
  readonly #hostOf: (name: string) => Host;
  readonly #endpoints = new Map<Incarnation, Set<Endpoint>>();
  /** Those with stalled segments, also of killed processes: a kernel sends on what it took. */
  readonly #stalled = new Set<Endpoint>();

  constructor(scheduler: Scheduler, links: Links, hostOf: (name: string) => Host) {
    this.#scheduler = scheduler;
    this.#links = links;
    this.#hostOf = hostOf;
  }

  get nowUs(): number {
    return this.#scheduler.nowUs;
  }

  remember(endpoint: Endpoint): void {
    const own = this.#endpoints.get(endpoint.owner);
    if (own === undefined) this.#endpoints.set(endpoint.owner, new Set([endpoint]));
    else own.add(endpoint);
  }

  forget(endpoint: Endpoint): void {
    const own = this.#endpoints.get(endpoint.owner);
    own?.delete(endpoint);
    if (own?.size === 0) this.#endpoints.delete(endpoint.owner);
  }

  /** How many streams the process on `host` has open. */
  openAt(host: string): number {
    let open = 0;
    for (const [owner, endpoints] of this.#endpoints) {
      if (owner.host === host && !owner.isDead) for (const { isClosed } of endpoints) open += isClosed ? 0 : 1;
    }
    return open;
  }

  soon(endpoint: Endpoint, run: () => void): void {
    this.after(1, endpoint, run);
  }

  after(delayUs: number, endpoint: Endpoint, run: () => void): SimEvent {
    return this.#scheduler.schedule(delayUs, 'stream-local', endpoint.owner, run);
  }

  splitAt(endpoint: Endpoint, length: number): number {
    const key = `split.${endpoint.owner.host}`;
    if (length < 2 || !this.#scheduler.random.chance(key, this.splitChance)) return length;
    return 1 + this.#scheduler.random.below(key, length - 1);
  }

  send(from: Endpoint, segment: Segment): void {
    const { remote } = from;
    assert(remote !== undefined, 'the endpoint is connected');
    const [here, there] = [from.owner.host, remote.owner.host];
    let delayUs = this.#links.latencyUs(here, there);
    for (let tries = 0; tries < MAX_RETRANSMITS && this.#links.drops(here, there); tries++) {
      delayUs += RETRANSMIT_US * 2 ** tries;
    }
    from.lastArrivalUs = Math.max(from.lastArrivalUs, this.nowUs + delayUs);
    if (remote.owner.isDead) this.#sendToDead(from, remote, segment);
    else this.#schedule(from.lastArrivalUs - this.nowUs, from, segment);
  }

  /** The reader at `reader` consumed bytes: the sender may go on, which it learns if it waits. */
  acknowledge(reader: Endpoint, bytes: number): void {
    const sender = reader.remote;
    if (sender === undefined) return;
    sender.wasRead(bytes);
    if (sender.isBlocked && !reader.isClosed) this.send(reader, { type: 'window' });
    if (!this.#links.isUp(reader.owner.host, sender.owner.host)) this.#armReset(sender);
  }

  /** Links changed: what waited for one that is up goes on its way. */
  retry(): void {
    for (const endpoint of this.#stalled) this.#retransmit(endpoint);
  }

  /** The process was killed: its kernel ends its streams. */
  kill(incarnation: Incarnation): void {
    for (const endpoint of [...(this.#endpoints.get(incarnation) ?? [])]) {
      endpoint.kill(this.#scheduler.random.chance(`kill.${incarnation.host}`, 0.5));
    }
    this.#endpoints.delete(incarnation);
  }

  /** The host lost power: its peers hear nothing, and give up in the end. */
  powerCut(incarnation: Incarnation): void {
    for (const endpoint of this.#stalled) if (endpoint.owner === incarnation) this.#stalled.delete(endpoint);
    for (const endpoint of this.#endpoints.get(incarnation) ?? []) {
      const { remote } = endpoint;
      if (remote === undefined || remote.isClosed || remote.owner.isDead) continue;
      this.after(this.resetAfterMs * 1000, remote, () => remote.fail(brokenFrom(remote)));
    }
    this.#endpoints.delete(incarnation);
  }

  /** Resets every stream between two hosts, for both ends. */
  resetBetween(a: string, b: string): void {
    for (const own of [...this.#endpoints.values()]) {
      for (const endpoint of [...own]) {
        const there = endpoint.remote?.owner.host;
        const here = endpoint.owner.host;
        if ((here !== a || there !== b) && (here !== b || there !== a)) continue;
        this.soon(endpoint, () => endpoint.fail(brokenFrom(endpoint)));
      }
    }
  }

  #schedule(delayUs: number, from: Endpoint, segment: Segment): void {
    const to = from.remote as Endpoint;
    const detail = segment.type === 'data' ? segment.length : 0;
    this.#scheduler.schedule(delayUs, 'stream-segment', to.owner, () => this.#arrive(from, to, segment), detail);
  }

  #arrive(from: Endpoint, to: Endpoint, segment: Segment): void {
    if (from.stalled.length === 0 && this.#links.isUp(from.owner.host, to.owner.host)) {
      to.receive(segment);
      return;
    }
    from.stalled.push(segment);
    this.#stalled.add(from);
    this.#armReset(from);
  }

  #retransmit(from: Endpoint): void {
    const to = from.remote;
    if (to === undefined || !this.#links.isUp(from.owner.host, to.owner.host)) return;
    const delayUs = this.#scheduler.between(`retransmit.${from.owner.host}`, 1, RETRANSMIT_US);
    this.#scheduler.schedule(delayUs, 'stream-segment', to.owner, () => {
      if (!this.#links.isUp(from.owner.host, to.owner.host)) return;
      this.#stalled.delete(from);
      for (const segment of from.stalled.splice(0)) to.receive(segment);
    });
  }

  #armReset(endpoint: Endpoint): void {
    if (endpoint.resetArmed || endpoint.isClosed || endpoint.owner.isDead) return;
    endpoint.resetArmed = true;
    const here = endpoint.owner.host;
    const there = endpoint.remote?.owner.host ?? here;
    this.after(this.resetAfterMs * 1000, endpoint, () => {
      endpoint.resetArmed = false;
      if (this.#links.isUp(here, there) && this.#links.isUp(there, here)) return;
      endpoint.fail(brokenFrom(endpoint));
    });
  }

  /** The other process is gone: its host says so if it is there and reachable, else there is silence. */
  #sendToDead(from: Endpoint, remote: Endpoint, segment: Segment): void {
    if (segment.type === 'reset' || from.owner.isDead) return;
    const [here, there] = [from.owner.host, remote.owner.host];
    if (!this.#hostOf(there).isPowered || !this.#links.isUp(here, there) || !this.#links.isUp(there, here)) {
      if (!from.resetArmed) {
        from.resetArmed = true;
        this.after(this.resetAfterMs * 1000, from, () => from.fail(brokenFrom(from)));
      }
      return;
    }
    const delayUs = from.lastArrivalUs - this.nowUs + this.#links.latencyUs(there, here);
    this.after(delayUs, from, () => from.fail(brokenFrom(from)));
  }
}

function brokenFrom(endpoint: Endpoint): EnvError {
  return new EnvError('RESET', `the connection with ${endpoint.peer.host}:${endpoint.peer.port} was reset`);
}
