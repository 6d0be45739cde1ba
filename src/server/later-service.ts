// A service that is bound before what answers it exists: a taken port is found out first, and early callers are told to wait.
import type { RpcHandler, RpcService, RpcServiceDefinition } from '../env/network.ts';
import { RpcError } from '../env/network.ts';

/** Answers UNAVAILABLE until `service()` gives the real one. */
export function laterService(definition: RpcServiceDefinition, service: () => RpcService | undefined): RpcService {
  const handlers: Record<string, RpcHandler<unknown, unknown>> = {};
  for (const name of Object.keys(definition.methods)) {
    handlers[name] = (request, context) => {
      const handler = service()?.handlers[name];
      if (handler === undefined) return Promise.reject(new RpcError('UNAVAILABLE', 'the node is starting'));
      return handler(request, context);
    };
  }
  return { definition, handlers };
}
