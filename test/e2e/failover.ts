// Six processes whose controllers are killed, stopped, paused and started again, and what they say of the quorum meanwhile.
import { readFileSync } from 'node:fs';
import { parseHostPort } from '../../src/config/listeners.ts';
import type { RpcClient, RpcMethod } from '../../src/env/network.ts';
import { RpcError } from '../../src/env/network.ts';
import { AdminServiceDefinition as Admin } from '../../src/gen/kvorum/v1/admin.ts';
import { createEnv } from '../../src/node/env.ts';
import type { NodeFile } from './kvorum.ts';
import { clusterServes, copyDeployment, kvorumOk, startNode } from './kvorum.ts';
import type { Process } from './processes.ts';
import { eventually } from './processes.ts';
import type { ListedTopic, Ways } from './topic-creations.ts';

export interface Leadership {
  readonly leaderId: number;
  readonly epoch: number;
}

const CALL_TIMEOUT_MS = 2000;

export class ControllersUnderFire {
  readonly controllerIds: readonly number[];
  /** Of brokers and controllers. */
  readonly ways: Ways;
  /** gRPC addresses of the brokers. */
  readonly servers: readonly string[];
  readonly #nodes: ReadonlyMap<number, NodeFile>;
  readonly #processes = new Map<number, Process>();
  readonly #clients = new Map<string, RpcClient>();
  readonly #controllerAt: ReadonlyMap<number, string>;

  private constructor(nodes: readonly NodeFile[], servers: readonly string[], bootstrap: readonly string[]) {
    this.#nodes = new Map(nodes.map((node) => [node.nodeId, node]));
    const controllers = nodes.filter(({ isController }) => isController);
    this.controllerIds = controllers.map(({ nodeId }) => nodeId);
    this.#controllerAt = new Map(controllers.map(({ nodeId, path }) => [nodeId, controllerListenerOf(path)]));
    this.servers = servers;
    this.ways = { bootstrap, grpc: [...servers, ...this.#controllerAt.values()] };
  }

  /** Formats and starts three controllers and three brokers; resolves when they serve. */
  static async start(): Promise<ControllersUnderFire> {
    const { nodes, servers, bootstrap } = await copyDeployment();
    const clusterId = (await kvorumOk(['random-id'])).trim();
    for (const { path } of nodes) await kvorumOk(['format', '--cluster-id', clusterId, '--config', path]);
    const cluster = new ControllersUnderFire(nodes, servers, bootstrap.split(','));
    for (const { nodeId } of nodes) cluster.begin(nodeId);
    await clusterServes(servers[0] as string, 3);
    return cluster;
  }

  /** Starts the node's process. */
  begin(id: number): void {
    this.#processes.set(id, startNode((this.#nodes.get(id) as NodeFile).path));
  }

  /** Sends the signal; resolves when a process that it ends is gone. */
  async signal(id: number, signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    const process = this.#processes.get(id) as Process;
    process.kill(signal);
    if (signal === 'SIGSTOP' || signal === 'SIGCONT') return;
    const { code, stderr } = await process.ended(30_000);
    if (signal === 'SIGTERM' && code !== 0) throw new Error(`node ${id} stopped with ${code}: ${stderr.slice(-4000)}`);
  }

  /** gRPC address of a controller. */
  addressOf(controllerId: number): string {
    return this.#controllerAt.get(controllerId) as string;
  }

  /** Calls AdminService at the address; RpcError if that fails. */
  call<Request, Response>(
    address: string,
    method: RpcMethod<Request, Response>,
    request: Request,
    timeoutMs = CALL_TIMEOUT_MS,
  ): Promise<Response> {
    const { host, port } = parseHostPort(address) ?? { host: '', port: 0 };
    let client = this.#clients.get(address);
    if (client === undefined) {
      client = createEnv({ level: 'error' }).network.client({ host, port });
      this.#clients.set(address, client);
    }
    return client.call(Admin, method, request, timeoutMs);
  }

  /** What those controllers say that lead, the latest epoch; undefined if none does. */
  async leadership(among = this.controllerIds): Promise<Leadership | undefined> {
    const answers = await Promise.all(
      among.map((id) =>
        this.call(this.addressOf(id), Admin.methods.describeQuorum, { forwarded: true }, 1000).catch(ignoreRpcError),
      ),
    );
    const leading = answers.flatMap((answer) => (answer?.fromLeader === true ? [answer] : []));
    const latest = leading.toSorted((a, b) => b.leaderEpoch - a.leaderEpoch)[0];
    return latest === undefined ? undefined : { leaderId: latest.leaderId, epoch: latest.leaderEpoch };
  }

  /** Waits until a controller leads and all three follow it closely; the leadership. */
  allFollow(): Promise<Leadership> {
    return eventually('all controllers follow one leader', async () => {
      const leadership = await this.leadership();
      if (leadership === undefined) return undefined;
      const address = this.addressOf(leadership.leaderId);
      const { voters, highWatermark } = await this.call(address, Admin.methods.describeQuorum, { forwarded: true });
      const close = voters.filter(
        ({ logEndOffset, lastFetchAgeMs }) =>
          logEndOffset >= highWatermark - 20 && lastFetchAgeMs >= 0 && lastFetchAgeMs < 1500,
      );
      return close.length === this.controllerIds.length ? leadership : undefined;
    });
  }

  /** The controllers but this one. */
  othersThan(id: number): number[] {
    return this.controllerIds.filter((other) => other !== id);
  }

  /** All topics as the broker at the address lists them, once it shows everything that is committed. */
  async listed(server: string): Promise<ListedTopic[]> {
    const { leaderId } = await this.allFollow();
    const { metadataEndOffset } = await this.call(this.addressOf(leaderId), Admin.methods.listTopics, {});
    const { topics } = await eventually('the broker has caught up', async () => {
      const answer = await this.call(server, Admin.methods.listTopics, {});
      return answer.metadataEndOffset >= metadataEndOffset ? answer : undefined;
    });
    return topics;
  }

  /** Ends the clients; the processes are ended by `cleanUp`. */
  close(): void {
    for (const client of this.#clients.values()) client.close();
  }
}

function controllerListenerOf(path: string): string {
  const [, address = ''] = /^listeners=CONTROLLER:\/\/(.*)$/m.exec(readFileSync(path, 'utf8')) ?? [];
  return address;
}

function ignoreRpcError(error: unknown): undefined {
  if (!(error instanceof RpcError)) throw error;
}
