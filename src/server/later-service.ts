// A service that is bound before what answers it exists: a taken port is found out first, and early callers are told to wait.
import type {
  RpcContext,
  RpcError,
  RpcHandler,
  RpcService,
  RpcServiceDefinition,
  RpcStatus,
  RpcStreamContext,
  RpcStreamHandler,
} from '../env/network.ts';
import { undone } from '../env/rpc-failures.ts';

type AnyStreamHandler = RpcStreamHandler<unknown, unknown>;

/** Answers with `status` until `service()` gives the real one. FAILED_PRECONDITION says that nothing was done (C-1.4). */
export function laterService(
  definition: RpcServiceDefinition,
  service: () => RpcService | undefined,
  status: RpcStatus = 'FAILED_PRECONDITION',
): RpcService {
  const handlers: Record<string, RpcHandler<unknown, unknown> | AnyStreamHandler> = {};
  for (const [name, method] of Object.entries(definition.methods)) {
    if (method.responseStream === true) {
      handlers[name] = async function* (request: unknown, context: RpcStreamContext) {
        const handler = service()?.handlers[name] as AnyStreamHandler | undefined;
        if (handler === undefined) throw starting(status);
        yield* handler(request, context);
      };
    } else {
      handlers[name] = (request: unknown, context: RpcContext) => {
        const handler = service()?.handlers[name] as RpcHandler<unknown, unknown> | undefined;
        if (handler === undefined) return Promise.reject(starting(status));
        return handler(request, context);
      };
    }
  }
  return { definition, handlers };
}

function starting(status: RpcStatus): RpcError {
  return undone(status, 'STARTING', 'the node is starting, it has done nothing');
}
