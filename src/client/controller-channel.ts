// Calls to the active controller, whichever that is: the last one known first, then the others in turn, with pauses
// between the rounds. Used by brokers and the command line.
import { assert } from '../base/assert.ts';
import type { Ms, NodeId } from '../base/ids.ts';
import type { Clock } from '../env/clock.ts';
import { sleep } from '../env/clock.ts';
import type { Address, Network, RpcClient, RpcMethod, RpcServiceDefinition } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import type { Random } from '../env/random.ts';
import { backoffMs } from './backoff.ts';

export interface ControllerAddress {
  readonly id: NodeId;
  readonly address: Address;
}

export interface ControllerChannelDeps {
  readonly network: Network;
  readonly clock: Clock;
  readonly random: Random;
}

/** An election takes a few hundred milliseconds: pauses between rounds start below and stay near that. */
const ROUND_BACKOFF = { baseMs: 50, maxMs: 500 };

/** A controller that does not answer is given up for the next one after its share of the time, at least this. */
const MIN_ATTEMPT_MS = 1000;

export class ControllerChannel {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #controllers: readonly (ControllerAddress & { readonly client: RpcClient })[];
  /** Index of the one that answered last. */
  #active = 0;
  #closed = false;

  /** Connects to nothing yet. `controllers` has at least one. */
  constructor(deps: ControllerChannelDeps, controllers: readonly ControllerAddress[]) {
    assert(controllers.length > 0, 'a controller channel needs a controller');
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#controllers = controllers.map((controller) => ({
      ...controller,
      client: deps.network.client(controller.address),
    }));
  }

  /**
   * Calls the active controller. FAILED_PRECONDITION (not the active one), UNAVAILABLE and DEADLINE_EXCEEDED of one attempt
   * lead to the next controller until `timeoutMs` has passed; then an RpcError UNAVAILABLE says in one sentence what each
   * one said. Every other status is the controller's verdict and is thrown as it is. An attempt without answer may have
   * been carried out, so calls must be repeatable (C-9.1); with `repeatable` false the first such attempt is thrown.
   */
  async call<Request, Response>(
    service: RpcServiceDefinition,
    method: RpcMethod<Request, Response>,
    request: Request,
    timeoutMs: Ms,
    options: { readonly repeatable?: boolean } = {},
  ): Promise<Response> {
    const deadline = this.#clock.now() + timeoutMs;
    const said = new Map<number, string>();
    let at = this.#active;
    for (let attempt = 1; ; attempt++) {
      if (this.#closed) throw new RpcError('CANCELLED', 'the controller channel is closed', 'refused');
      const remainingMs = deadline - this.#clock.now();
      if (remainingMs <= 0) throw this.#noneAnswered(method.name, timeoutMs, said);
      const controller = this.#controllers[at];
      assert(controller !== undefined, 'controller index');
      try {
        const response = await controller.client.call(service, method, request, this.#share(remainingMs));
        this.#active = at;
        return response;
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        if (!leadsToNext(error)) {
          this.#active = at;
          throw error;
        }
        if (options.repeatable === false && mayBeDone(error)) throw error;
        said.set(at, error.message);
      }
      at = (at + 1) % this.#controllers.length;
      if (attempt % this.#controllers.length === 0) await this.#pause(attempt, deadline);
    }
  }

  /** Ends the connections; calls in flight fail. */
  close(): void {
    this.#closed = true;
    for (const { client } of this.#controllers) client.close();
  }

  #share(remainingMs: Ms): Ms {
    return Math.min(remainingMs, Math.max(MIN_ATTEMPT_MS, remainingMs / this.#controllers.length));
  }

  async #pause(attempt: number, deadline: Ms): Promise<void> {
    const round = attempt / this.#controllers.length;
    const pauseMs = backoffMs(this.#random, 'client.controller', round, ROUND_BACKOFF);
    await sleep(this.#clock, Math.max(0, Math.min(pauseMs, deadline - this.#clock.now())));
  }

  #noneAnswered(method: string, timeoutMs: Ms, said: ReadonlyMap<number, string>): RpcError {
    const parts = this.#controllers.map(({ id, address }, i) => {
      return `controller ${id} at ${address.host}:${address.port}: ${said.get(i) ?? 'not tried'}`;
    });
    return new RpcError(
      'UNAVAILABLE',
      `no active controller took ${method} within ${timeoutMs} ms (${parts.join('; ')})`,
    );
  }
}

function leadsToNext(error: RpcError): boolean {
  return (
    error.status === 'FAILED_PRECONDITION' || error.status === 'UNAVAILABLE' || error.status === 'DEADLINE_EXCEEDED'
  );
}

/** Whether the call may have taken effect although it failed. */
function mayBeDone(error: RpcError): boolean {
  return error.status !== 'FAILED_PRECONDITION' && error.transport !== 'refused';
}
