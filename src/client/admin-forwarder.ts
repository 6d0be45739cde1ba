// AdminService's writes on their way to the active controller, from whatever node was asked (C-9.1): passed on once, made again
// where that is safe, and answered when this node's own image shows the result, so that who asked here finds it here (behaviour 14).
import type { Ms, Offset } from '../base/ids.ts';
import type { Clock } from '../env/clock.ts';
import type { RpcError, RpcMethod, RpcServiceDefinition } from '../env/network.ts';
import type { Random } from '../env/random.ts';
import { undone } from '../env/rpc-failures.ts';
import type { CommandId } from '../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition as Admin } from '../gen/kvorum/v1/admin.ts';
import type { AdminWrite, AdminWrites, RequestOf, ResponseOf } from './admin-writes.ts';
import { ADMIN_WRITES, checkWrite, timeToTry } from './admin-writes.ts';
import { CommandIds } from './command-ids.ts';

export interface AdminForwarderDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** Calls the active controller, wherever it is, as ControllerChannel does. */
  readonly controller: {
    call<Request, Response>(
      service: RpcServiceDefinition,
      method: RpcMethod<Request, Response>,
      request: Request,
      timeoutMs: Ms,
      options: { readonly repeatable: boolean },
    ): Promise<Response>;
  };
  /** The longest that a call is tried for. */
  readonly requestTimeoutMs: Ms;
  /** Whether the cluster remembers commands by name, as far as this node knows: once it does, it always will. */
  readonly remembersCommands: () => boolean;
  /** Resolves when this node's image shows everything below `endOffset`. */
  readonly whenAt: (endOffset: Offset) => Promise<void>;
}

/** The fields of writes that forwarding is about. */
interface Forwardable {
  readonly forwarded: boolean;
  readonly command?: CommandId | undefined;
}

export class AdminForwarder {
  readonly #deps: AdminForwarderDeps;
  readonly #ids: CommandIds;
  /** End the waits for this node's image. */
  readonly #waits = new Set<() => void>();
  #closed = false;

  constructor(deps: AdminForwarderDeps) {
    this.#deps = deps;
    this.#ids = new CommandIds(deps);
  }

  /** RpcError: what the active controller says, or why there is no answer; `detail` says whether it may take effect. */
  async send<W extends AdminWrite>(write: W, request: RequestOf<W>, remainingMs: Ms): Promise<ResponseOf<W>> {
    checkWrite(write, request);
    const { clock, requestTimeoutMs } = this.#deps;
    const deadline = clock.now() + timeToTry(remainingMs, requestTimeoutMs);
    const response = await this.#pass(write, request, deadline);
    // It is committed: that this node lags behind does not make it fail.
    await this.#visible(response.metadataEndOffset, deadline - clock.now());
    return response;
  }

  /** This node's image moves no more: who waits for it is answered. */
  close(): void {
    this.#closed = true;
    for (const end of [...this.#waits]) end();
  }

  #visible(endOffset: Offset, limitMs: Ms): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        this.#waits.delete(end);
        resolve();
      };
      const timer = this.#deps.clock.schedule(Math.max(0, limitMs), end);
      this.#waits.add(end);
      void this.#deps.whenAt(endOffset).then(end);
    });
  }

  /** Handlers that pass every write on, for a node that never decides. */
  handlers(): AdminWrites {
    const handler =
      <W extends AdminWrite>(write: W) =>
      async (request: RequestOf<W>, { remainingMs }: { readonly remainingMs: Ms }): Promise<ResponseOf<W>> => {
        if (request.forwarded) throw neverActive();
        return this.send(write, request, remainingMs);
      };
    return {
      createTopics: handler('createTopics'),
      createPartitions: handler('createPartitions'),
      deleteTopics: handler('deleteTopics'),
      alterConfigs: handler('alterConfigs'),
      electLeaders: handler('electLeaders'),
      unregisterBroker: handler('unregisterBroker'),
      updateFeatures: handler('updateFeatures'),
    };
  }

  #pass<W extends AdminWrite>(write: W, request: RequestOf<W>, deadline: Ms): Promise<ResponseOf<W>> {
    const { clock, controller, remembersCommands } = this.#deps;
    const method = Admin.methods[write] as unknown as RpcMethod<Forwardable, ResponseOf<W>>;
    const call = (repeatable: boolean, command?: CommandId): Promise<ResponseOf<W>> => {
      const marked = { ...request, ...(command && { command }), forwarded: true };
      return controller.call(Admin, method, marked, deadline - clock.now(), { repeatable });
    };
    const repetition = ADMIN_WRITES[write].repetition(request);
    if (repetition !== 'named') return call(repetition === 'repeatable');
    const isNamed = (request as Forwardable).command !== undefined;
    if (isNamed || !remembersCommands()) return call(isNamed && remembersCommands());
    return this.#ids.named(deadline - clock.now(), (name) => call(true, name));
  }
}

/** FAILED_PRECONDITION: whoever passed the call on looks further. */
function neverActive(): RpcError {
  return undone('FAILED_PRECONDITION', 'NOT_CONTROLLER', 'this node is a broker, never the active controller');
}
