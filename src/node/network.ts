// The real Network: TCP for byte streams, gRPC for RPC. gRPC is loaded when first used, since loading it is most of a fast
// start and many commands never need it.
import type { Logger } from '../env/logger.ts';
import type { Address, Network, RpcClient } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import { connect, listen } from './tcp.ts';

export function createNetwork(logger: Logger): Network {
  return {
    listen: (at, accept) => listen(at, accept, logger),
    connect,
    serve: async (at, services) => (await import('./grpc-server.ts')).serve(at, services, logger),
    serveHttp: async (at, answer) => (await import('./http-server.ts')).serveHttp(at, answer, logger),
    client: lazyClient,
  };
}

function lazyClient(to: Address): RpcClient {
  let client: RpcClient | undefined;
  let loading: Promise<RpcClient> | undefined;
  let closed = false;
  const load = async (): Promise<RpcClient> => {
    const { createClient } = await import('./grpc-client.ts');
    client = createClient(to);
    if (closed) client.close();
    return client;
  };
  return {
    call: async (service, method, request, timeoutMs) => {
      if (closed) throw new RpcError('CANCELLED', 'the client is closed', 'refused');
      if (client !== undefined) return client.call(service, method, request, timeoutMs);
      loading ??= load();
      return (await loading).call(service, method, request, timeoutMs);
    },
    async *stream(service, method, request, timeoutMs) {
      loading ??= load();
      yield* (await loading).stream(service, method, request, timeoutMs);
    },
    close: () => {
      closed = true;
      client?.close();
    },
  };
}
