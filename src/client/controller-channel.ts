// Calls to the active controller, whichever that is: to the last one known, and where that is not it any more to the one that a
// search finds. Used by brokers, and by controllers that are not active. What fails says whether it may have taken effect.
// Who the controllers are may change meanwhile (R-11).
import { assert, must } from '../base/assert.ts';
import type { Ms, NodeId } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { Clock, Timer } from '../env/clock.ts';
import { sleep } from '../env/clock.ts';
import type { Address, Network, RpcClient, RpcMethod, RpcServiceDefinition, RpcStreamMethod } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import type { Random } from '../env/random.ts';
import { backoffMs } from './backoff.ts';
import type { ControllerPeer, SearchResult } from './controller-search.ts';
import { ControllerSearch } from './controller-search.ts';

export interface ControllerAddress {
  /** -1 where only the address is known. */
  readonly id: NodeId;
  readonly address: Address;
}

export interface ControllerChannelDeps {
  readonly network: Network;
  readonly clock: Clock;
  readonly random: Random;
}

export interface ControllerCallOptions {
  /** False: an attempt that may have been carried out is not made again (C-9.1). Default true. */
  readonly repeatable?: boolean;
  /** True: waits out its time also while no majority of the controllers can be reached. Default false. */
  readonly patient?: boolean;
}

/** Pauses before a controller is called again that had been elected but was not ready yet. */
const SAME_AGAIN_BACKOFF = { baseMs: 20, maxMs: 250 };

/** A controller that does not answer a repeatable call is called again after its share of the time, at least this. */
const MIN_ATTEMPT_MS: Ms = 1000;

/** After so long without an answer the channel looks whether another controller has taken over; then again from time to time. */
const LOOK_AROUND_MS: Ms = 300;
const LOOK_AGAIN_MS: Ms = 1000;

interface Attempt<Request, Response> {
  readonly service: RpcServiceDefinition;
  readonly method: RpcMethod<Request, Response>;
  readonly request: Request;
  readonly deadline: Ms;
  readonly options: ControllerCallOptions;
}

export class ControllerChannel {
  readonly #deps: ControllerChannelDeps;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #controllers: () => readonly ControllerAddress[];
  /** By `host:port`, also of controllers that are none any more: they are few. */
  readonly #clients = new Map<string, RpcClient>();
  #peers: readonly ControllerPeer[];
  #search: ControllerSearch;
  /** The one that was the active controller last; undefined while that is not known. */
  #active: ControllerPeer | undefined;
  #closed = false;

  /** Connects to nothing yet. `controllers` has at least one; a function is asked again at each call. */
  constructor(
    deps: ControllerChannelDeps,
    controllers: readonly ControllerAddress[] | (() => readonly ControllerAddress[]),
  ) {
    this.#deps = deps;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#controllers = typeof controllers === 'function' ? controllers : () => controllers;
    this.#peers = this.#peersOf(this.#controllers());
    this.#search = new ControllerSearch(deps, this.#peers);
  }

  /**
   * Calls the active controller, waiting for `timeoutMs` that there is one: FAILED_PRECONDITION (not the active one), UNAVAILABLE
   * and DEADLINE_EXCEEDED of one attempt lead to the next. Every other status is the controller's verdict and is thrown as it
   * is. When time runs out, or when no majority of the controllers can be reached, RpcError UNAVAILABLE says what was seen of
   * each. An attempt that was not answered may have been carried out: with `repeatable` false the first such attempt ends the
   * call with an error that says so. Every error without a verdict says in its `detail` whether an attempt may have taken effect;
   * where none may have, `transport` is 'refused': nothing was done.
   */
  async call<Request, Response>(
    service: RpcServiceDefinition,
    method: RpcMethod<Request, Response>,
    request: Request,
    timeoutMs: Ms,
    options: ControllerCallOptions = {},
  ): Promise<Response> {
    const deadline = this.#clock.now() + timeoutMs;
    let before: ControllerPeer | undefined;
    /** How the last attempt ended that may have been carried out. */
    let uncertain: RpcError | undefined;
    for (let attempt = 1; ; attempt++) {
      if (this.#closed) throw new RpcError('CANCELLED', 'the controller channel is closed', 'refused');
      this.#refresh();
      const at = this.#active ?? (await this.#find(deadline, options));
      if (typeof at !== 'string' && at.client === before?.client) await this.#pause(attempt, deadline);
      const isOver = attempt > 1 && this.#clock.now() >= deadline;
      if (typeof at === 'string' || isOver) {
        const nobody = this.#nobody(method.name, typeof at === 'string' ? at : 'late', timeoutMs, options);
        throw afterAll(method.name, nobody, uncertain);
      }
      this.#active = at;
      before = at;
      try {
        return await this.#attempt(at, { service, method, request, deadline, options });
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        if (!leadsToNext(error)) throw afterAll(method.name, error, uncertain);
        if (this.#active?.client === at.client) this.#active = undefined;
        if (isPerhapsDone(error)) {
          if (options.repeatable === false) throw error;
          uncertain = error;
        }
        if (error.detail?.reason === 'NO_MAJORITY' && options.patient !== true) {
          throw afterAll(method.name, error, uncertain);
        }
      }
    }
  }

  /**
   * A stream of the active controller, for which `timeoutMs` is waited; how long the stream itself lasts is the controller's and the
   * caller's to say. One attempt: RpcError as `RpcClient.stream`, or as `call` where no active controller is found. Whoever calls
   * again looks for the active controller anew where that is worth while.
   */
  async *stream<Request, Response>(
    service: RpcServiceDefinition,
    method: RpcStreamMethod<Request, Response>,
    request: Request,
    timeoutMs: Ms,
  ): AsyncGenerator<Response, void> {
    if (this.#closed) throw new RpcError('CANCELLED', 'the controller channel is closed', 'refused');
    this.#refresh();
    const options = { patient: true };
    const at = this.#active ?? (await this.#find(this.#clock.now() + timeoutMs, options));
    if (typeof at === 'string') throw this.#nobody(method.name, at, timeoutMs, options);
    this.#active = at;
    try {
      yield* at.client.stream(service, method, request, Number.POSITIVE_INFINITY);
    } catch (error) {
      if (error instanceof RpcError && leadsToNext(error) && this.#active?.client === at.client)
        this.#active = undefined;
      throw error;
    }
  }

  /** The controllers where nobody listens, asked now; silence within `limitMs` is no refusal. */
  refusing(limitMs: Ms): Promise<readonly ControllerAddress[]> {
    return this.#search.refusing(limitMs);
  }

  /** Ends the connections; calls in flight fail. */
  close(): void {
    this.#closed = true;
    this.#search.close();
    for (const client of this.#clients.values()) client.close();
  }

  /** The set of controllers has changed, perhaps: a search under way goes on among the present ones. */
  controllersChanged(): void {
    this.#refresh();
  }

  /** Another set of controllers, another search: what is known of those that stay is learned again. */
  #refresh(): void {
    const controllers = this.#controllers();
    const same =
      controllers.length === this.#peers.length &&
      controllers.every(({ id, address }, i) => this.#peers[i]?.id === id && sameAddress(this.#peers[i], address));
    if (same || this.#closed) return;
    this.#peers = this.#peersOf(controllers);
    const { client } = this.#active ?? {};
    this.#active = this.#peers.find((peer) => peer.client === client);
    const before = this.#search;
    this.#search = new ControllerSearch(this.#deps, this.#peers);
    before.close();
  }

  #peersOf(controllers: readonly ControllerAddress[]): ControllerPeer[] {
    assert(controllers.length > 0, 'a controller channel needs a controller');
    return controllers.map(({ id, address }) => {
      const name = `${address.host}:${address.port}`;
      const client = this.#clients.get(name) ?? this.#deps.network.client(address);
      this.#clients.set(name, client);
      return { id, address, client };
    });
  }

  /** Who leads, asked of the present controllers. */
  async #find(
    deadline: Ms,
    { patient }: ControllerCallOptions,
  ): Promise<ControllerPeer | Exclude<SearchResult, number>> {
    for (;;) {
      const [search, peers] = [this.#search, this.#peers];
      const found = await search.find(deadline - this.#clock.now(), patient === true);
      if (search !== this.#search && this.#clock.now() < deadline) continue;
      return typeof found === 'number' ? must(peers[found], 'controller index') : found;
    }
  }

  /** One call to one controller, given up as soon as another one is active or none can be. */
  #attempt<Request, Response>(peer: ControllerPeer, attempt: Attempt<Request, Response>): Promise<Response> {
    const { service, method, request, deadline, options } = attempt;
    const remainingMs = deadline - this.#clock.now();
    const shareMs = Math.min(remainingMs, Math.max(MIN_ATTEMPT_MS, remainingMs / this.#peers.length));
    const limitMs = Math.max(0, options.repeatable === false ? remainingMs : shareMs);
    return new Promise((resolve, reject) => {
      let timer: Timer | undefined;
      let isSettled = false;
      const settle = (how: () => void): void => {
        isSettled = true;
        timer?.cancel();
        how();
      };
      const lookAround = async (): Promise<void> => {
        // Until it is known, other calls ask too before they are sent to somebody who may be gone.
        if (this.#active?.client === peer.client) this.#active = undefined;
        const found = await this.#find(deadline, options);
        if (isSettled || found === 'late') return;
        if (found !== 'no majority') this.#active = found;
        if (found !== 'no majority' && found.client === peer.client)
          timer = this.#clock.schedule(LOOK_AGAIN_MS, () => void lookAround());
        else settle(() => reject(this.#givenUp(method.name, peer, found)));
      };
      timer = this.#clock.schedule(LOOK_AROUND_MS, () => void lookAround());
      peer.client.call(service, method, request, limitMs).then(
        (response) => settle(() => resolve(response)),
        (error: unknown) => settle(() => reject(this.#unanswered(method.name, peer, error))),
      );
    });
  }

  #unanswered(method: string, peer: ControllerPeer, error: unknown): unknown {
    if (!(error instanceof RpcError)) return error;
    if (error.transport !== 'broken' && error.status !== 'DEADLINE_EXCEEDED') return error;
    if (error.detail !== undefined && !error.detail.mayTakeEffect) return error;
    const said = `${unknownOutcome(method)}: ${nameOf(peer)}: ${error.message}`;
    const detail = error.detail ?? { reason: 'NO_ANSWER', mayTakeEffect: true, controllerId: peer.id };
    return new RpcError(error.status, said, error.transport, detail);
  }

  #givenUp(method: string, peer: ControllerPeer, found: ControllerPeer | 'no majority'): RpcError {
    const why =
      found === 'no majority'
        ? `no majority of the controllers can be reached: ${this.#search.describe()}`
        : `${nameOf(found)} leads now`;
    return new RpcError(
      'UNAVAILABLE',
      `${unknownOutcome(method)}: ${nameOf(peer)} has not answered, and ${why}`,
      'broken',
      found === 'no majority'
        ? { reason: 'NO_MAJORITY', mayTakeEffect: true, controllerId: NO_NODE }
        : { reason: 'CONTROLLER_CHANGED', mayTakeEffect: true, controllerId: found.id },
    );
  }

  #nobody(method: string, why: 'no majority' | 'late', timeoutMs: Ms, options: ControllerCallOptions): RpcError {
    const what =
      why === 'late'
        ? `no active controller took ${method} within ${timeoutMs} ms`
        : 'there is no active controller, as that takes a majority of the controllers';
    const said = `${what}: ${this.#search.describe()}`;
    const reason = why === 'late' ? 'NO_CONTROLLER' : 'NO_MAJORITY';
    const detail = { reason, mayTakeEffect: false, controllerId: NO_NODE };
    const isQuestion = options.repeatable !== false;
    return new RpcError('UNAVAILABLE', isQuestion ? said : `${said}; nothing was done`, 'refused', detail);
  }

  async #pause(attempt: number, deadline: Ms): Promise<void> {
    const pauseMs = backoffMs(this.#random, 'client.controllerAgain', attempt, SAME_AGAIN_BACKOFF);
    await sleep(this.#clock, Math.max(0, Math.min(pauseMs, deadline - this.#clock.now())));
  }
}

function nameOf({ id, address }: ControllerPeer): string {
  return `controller ${id < 0 ? `at ${address.host}:${address.port}` : id}`;
}

function sameAddress(peer: ControllerPeer | undefined, { host, port }: Address): boolean {
  return peer?.address.host === host && peer.address.port === port;
}

function unknownOutcome(method: string): string {
  return `whether ${method} took effect is not known`;
}

function leadsToNext(error: RpcError): boolean {
  return (
    error.status === 'FAILED_PRECONDITION' || error.status === 'UNAVAILABLE' || error.status === 'DEADLINE_EXCEEDED'
  );
}

/** Whether the call may have taken effect although it failed. */
function isPerhapsDone({ status, transport, detail }: RpcError): boolean {
  return detail?.mayTakeEffect ?? (status !== 'FAILED_PRECONDITION' && transport !== 'refused');
}

/** What ends the call, when an attempt before it may have been carried out. */
function afterAll(method: string, error: RpcError, uncertain: RpcError | undefined): RpcError {
  if (uncertain === undefined || isPerhapsDone(error)) return error;
  const { reason, controllerId } = error.detail ?? { reason: error.status, controllerId: NO_NODE };
  const before = uncertain.message.startsWith(unknownOutcome(method))
    ? uncertain.message
    : `${unknownOutcome(method)}: ${uncertain.message}`;
  const detail = { reason, mayTakeEffect: true, controllerId };
  return new RpcError('UNAVAILABLE', `${before}; then: ${error.message}`, 'broken', detail);
}
