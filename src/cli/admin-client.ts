// AdminService as commands call it: at whichever of the servers answers, repeated as far as that is safe, in good time.
import type { Ms } from '../base/ids.ts';
import { parseHostPort } from '../config/listeners.ts';
import { sleep } from '../env/clock.ts';
import type { Env } from '../env/env.ts';
import type { RpcClient, RpcMethod, RpcStreamMethod } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import { randomUuid } from '../env/random.ts';
import type { CommandId } from '../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition as Admin } from '../gen/kvorum/v1/admin.ts';
import { ELR_LEVEL } from '../metadata/level.ts';
import { createEnv } from '../node/env.ts';
import type { Changing, ServerOption } from './common-options.ts';
import { DEFAULT_SERVER, DEFAULT_TIMEOUT_MS } from './common-options.ts';
import { UsageError } from './failure.ts';
import type { CallKind } from './patient-call.ts';
import { callPatiently, nobodyThere, reasonOf } from './patient-call.ts';
import { createProgress } from './progress.ts';

/** A request that can carry a name, under which it takes effect once. */
interface Nameable {
  readonly validateOnly: boolean;
  readonly command?: CommandId | undefined;
}

export interface AdminClient {
  readonly env: Env;
  /** Asks what changes nothing. */
  readonly read: <Request, Response>(method: RpcMethod<Request, Response>, request: Request) => Promise<Response>;
  /** Carries out a change that can be named: once, however often it is sent. With `--dry-run` it has no name. */
  readonly command: <Request extends Nameable, Response>(
    method: RpcMethod<Request, Response>,
    request: Omit<Request, 'command'>,
  ) => Promise<Response>;
  /** Carries out a change that has no name. */
  readonly change: <Request, Response>(method: RpcMethod<Request, Response>, request: Request) => Promise<Response>;
  /** Asks what is nice to know, for so long at most; undefined if there is no answer in that time. */
  readonly glance: <Request, Response>(
    method: RpcMethod<Request, Response>,
    request: Request,
    limitMs: Ms,
  ) => Promise<Response | undefined>;
  /** Answers as they come, as long as the server goes on or `--timeout` says. */
  readonly stream: <Request, Response>(
    method: RpcStreamMethod<Request, Response>,
    request: Request,
  ) => AsyncIterable<Response>;
}

/** Runs `work` with a client of AdminService at the servers, and disconnects. */
export async function withAdmin<T>(options: ServerOption, work: (admin: AdminClient) => Promise<T>): Promise<T> {
  const servers = serversOf(options.server);
  const env = createEnv({ level: 'error' });
  const clients = new Map<string, RpcClient>();
  try {
    return await work(createAdminClient(env, options, servers, clients));
  } finally {
    for (const client of clients.values()) client.close();
  }
}

/** `host:port,host:port` apart; each once. */
export function serversOf(text: string): string[] {
  const servers = text.split(',').map((server) => server.trim());
  for (const server of servers) {
    const address = parseHostPort(server);
    if (address !== undefined && address.host !== '' && address.port > 0) continue;
    throw new UsageError(`--server takes host:port, for example ${DEFAULT_SERVER}, not '${server}'`);
  }
  return [...new Set(servers)];
}

function createAdminClient(
  env: Env,
  { timeout }: ServerOption,
  servers: readonly string[],
  clients: Map<string, RpcClient>,
): AdminClient {
  const timeoutMs = timeout ?? DEFAULT_TIMEOUT_MS;
  const clientId = randomUuid(env.random, 'command');
  let sequence = 0;

  function clientOf(server: string): RpcClient {
    const client = clients.get(server) ?? env.network.client(parseHostPort(server) ?? { host: '', port: 0 });
    clients.set(server, client);
    return client;
  }

  async function call<Request, Response>(kind: CallKind, method: RpcMethod<Request, Response>, request: Request) {
    const { clock } = env;
    const progress = createProgress();
    const remembersNames = async (server: string, limitMs: Ms): Promise<boolean> =>
      (await clientOf(server).call(Admin, Admin.methods.describeCluster, {}, limitMs)).metadataLevel >= ELR_LEVEL;
    const again = ({ message }: RpcError): void => progress.say(`asking again: ${message}`);
    try {
      return await callPatiently(
        { kind, servers, timeoutMs, now: () => clock.now(), wait: (ms) => sleep(clock, ms), remembersNames, again },
        (server, attemptMs) => clientOf(server).call(Admin, method, request, attemptMs),
      );
    } finally {
      progress.end();
    }
  }

  async function glance<Request, Response>(method: RpcMethod<Request, Response>, request: Request, limitMs: Ms) {
    const deadline = env.clock.now() + Math.min(limitMs, timeoutMs);
    for (const server of servers) {
      try {
        return await clientOf(server).call(Admin, method, request, Math.max(1, deadline - env.clock.now()));
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        if (error.transport !== 'refused') return undefined;
      }
    }
    return undefined;
  }

  async function* stream<Request, Response>(method: RpcStreamMethod<Request, Response>, request: Request) {
    for (const server of servers) {
      try {
        yield* clientOf(server).stream(Admin, method, request, timeout ?? Number.POSITIVE_INFINITY);
        return;
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        if (error.transport !== 'refused') {
          throw new RpcError(error.status, reasonOf(error, server), error.transport, error.detail);
        }
        if (server === servers.at(-1)) throw nobodyThere(servers, error);
      }
    }
  }

  return {
    env,
    read: (method, request) => call('read', method, request),
    command: <Request extends Nameable, Response>(
      method: RpcMethod<Request, Response>,
      request: Omit<Request, 'command'>,
    ) =>
      request.validateOnly
        ? call('read', method, request as Request)
        : call('named', method, { ...request, command: { clientId, sequence: ++sequence } } as Request),
    change: (method, request) => call('unnamed', method, request),
    glance,
    stream,
  };
}

/** For requests of changes: whether they are only to be tried, and that they come from outside the cluster. */
export function changeFields({ dryRun }: Changing): { validateOnly: boolean; forwarded: false } {
  return { validateOnly: dryRun === true, forwarded: false };
}
