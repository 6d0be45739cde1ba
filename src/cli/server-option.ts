// `--server`: which node is asked over gRPC, and calls to it.
import type { Command } from 'commander';
import { parseHostPort } from '../config/listeners.ts';
import type { Env } from '../env/env.ts';
import type { RpcClient, RpcMethod, RpcStreamMethod } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import { AdminServiceDefinition as Admin } from '../gen/kvorum/v1/admin.ts';
import { createEnv } from '../node/env.ts';
import { StartError } from '../server/start-error.ts';
import { UsageError } from './failure.ts';

export interface ServerOption {
  readonly server: string;
}

const DEFAULT_SERVER = '127.0.0.1:9094';

/** How long a command waits for its answer. */
const CALL_TIMEOUT_MS = 15_000;

/** Adds `--server` to a command. */
export function withServer(command: Command): Command {
  return command.option('--server <host:port>', 'gRPC address of any broker, or of any controller', DEFAULT_SERVER);
}

export interface AdminClient {
  readonly env: Env;
  readonly call: <Request, Response>(method: RpcMethod<Request, Response>, request: Request) => Promise<Response>;
  /** For as long as the server goes on. */
  readonly stream: <Request, Response>(
    method: RpcStreamMethod<Request, Response>,
    request: Request,
  ) => AsyncIterable<Response>;
}

/** Runs `work` with a client of AdminService at the server, and disconnects. */
export async function withAdmin<T>(option: ServerOption, work: (admin: AdminClient) => Promise<T>): Promise<T> {
  const address = parseHostPort(option.server);
  if (address === undefined || address.host === '') {
    throw new UsageError(`--server takes host:port, for example ${DEFAULT_SERVER}, not '${option.server}'`);
  }
  const env = createEnv({ level: 'error' });
  const client: RpcClient = env.network.client(address);
  try {
    return await work({
      env,
      call: (method, request) => client.call(Admin, method, request, CALL_TIMEOUT_MS),
      stream: (method, request) => client.stream(Admin, method, request, Number.POSITIVE_INFINITY),
    });
  } catch (error) {
    if (error instanceof RpcError && error.transport === 'refused') {
      throw new StartError(`nothing answers at ${option.server}: start the node, or name another with --server`, error);
    }
    throw error;
  } finally {
    client.close();
  }
}
