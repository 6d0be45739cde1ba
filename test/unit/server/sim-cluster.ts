// Controllers and brokers of one cluster in a simulated world, each a process with a configuration of its own.
import type { Env } from '../../../src/env/env.ts';
import type { Address, RpcClient, RpcMethod } from '../../../src/env/network.ts';
import { RpcError } from '../../../src/env/network.ts';
import { AdminServiceDefinition as Admin } from '../../../src/gen/kvorum/v1/admin.ts';
import type { Node } from '../../../src/server/node.ts';
import { startNode } from '../../../src/server/node.ts';
import { formatStorage } from '../../../src/server/storage.ts';
import type { Spawned } from '../../../src/sim/world/world.ts';
import { World } from '../../../src/sim/world/world.ts';
import { CLUSTER_ID, configText, parsed } from '../broker/bench.ts';

export const CONTROLLERS = ['c1', 'c2', 'c3'];
const BOOTSTRAP = CONTROLLERS.map((name) => `${name}:9093`).join(',');

export interface StartKeys {
  readonly nodeId: number;
  readonly isController?: boolean;
  /** Over the defaults: the bootstrap servers c1, c2 and c3. */
  readonly keys?: Readonly<Record<string, string>>;
  readonly clusterId?: string;
  /** What a node that stops by itself says; a bug where it is not expected. */
  readonly fatal?: (reason: string) => void;
}

/** A client of AdminService. */
export interface Asking {
  readonly env: Env;
  readonly client: RpcClient;
  readonly call: <Request, Response>(method: RpcMethod<Request, Response>, request: Request) => Promise<Response>;
}

export class SimCluster {
  readonly world: World;
  readonly nodes = new Map<string, Node>();
  #askers = 0;

  constructor(seed = 2) {
    this.world = new World({ seed });
  }

  /** Formats and starts a node at `host`; `nodes` has it when it is ready. */
  start(host: string, { nodeId, isController = true, keys = {}, clusterId = CLUSTER_ID, fatal }: StartKeys): void {
    const process = this.world.process(host);
    if (process.lives === 0) for (const folder of ['/data', '/new-data']) process.disk.provision(folder);
    const config = parsed(
      configText({
        'node.id': String(nodeId),
        'process.roles': isController ? 'controller' : 'broker',
        'controller.quorum.voters': '',
        'controller.quorum.bootstrap.servers': BOOTSTRAP,
        listeners: isController ? `CONTROLLER://${host}:9093` : `PLAINTEXT://${host}:9092,GRPC://${host}:9094`,
        ...keys,
      }),
    );
    this.nodes.delete(host);
    process.start(async (env) => {
      await formatStorage(env, config, clusterId);
      const node = await startNode(env, config, {
        fatal: (reason, cause) => {
          if (fatal === undefined) throw new Error(reason, { cause });
          fatal(reason);
        },
      });
      await node.ready;
      this.nodes.set(host, node);
    });
  }

  startControllers(keys: Readonly<Record<string, string>> = {}): Promise<void> {
    CONTROLLERS.forEach((host, i) => this.start(host, { nodeId: i + 1, keys }));
    return this.ready(...CONTROLLERS);
  }

  async ready(...hosts: string[]): Promise<void> {
    await this.world.runUntil(() => hosts.every((host) => this.nodes.has(host)), 60_000, `${hosts.join()} ready`);
  }

  /** Runs `body` as a process that talks to AdminService of the node at `host`. */
  async ask<T>(host: string, body: (asking: Asking) => Promise<T>): Promise<T> {
    const asked = this.asking(host, body);
    await this.world.runUntil(() => asked.isDone, 600_000, 'an answer');
    const outcome = asked.value;
    if ('error' in outcome) throw outcome.error;
    return outcome.answer;
  }

  /** The same beside the test. What the network says is an outcome, and no bug. */
  asking<T>(
    host: string,
    body: (asking: Asking) => Promise<T>,
  ): Spawned<{ readonly answer: T } | { readonly error: RpcError }> {
    const port = host.startsWith('c') ? 9093 : 9094;
    return this.world.spawn(`asker-${++this.#askers}`, async (env) => {
      const client = env.network.client({ host, port });
      try {
        const call: Asking['call'] = (method, request) => client.call(Admin, method, request, 10_000);
        return { answer: await body({ env, client, call }) };
      } catch (error) {
        if (error instanceof RpcError) return { error };
        throw error;
      } finally {
        client.close();
      }
    });
  }

  /** What a node says of the controllers, by id. */
  async controllersAt(host: string): Promise<readonly (Address & { listener: string })[]> {
    const { controllers } = await this.ask(host, ({ call }) => call(Admin.methods.describeCluster, {}));
    return controllers;
  }

  /** Resolves when some controller leads; its host. */
  async leader(): Promise<string> {
    const find = () =>
      [...this.nodes].find(
        ([host, node]) => this.world.process(host).isAlive && node.quorum.describe().role === 'leader',
      );
    await this.world.runUntil(() => find() !== undefined, 60_000, 'a leader');
    return find()?.[0] ?? '';
  }

  /** The lines of the log with that event. */
  told(event: string): ReturnType<World['log']['lines']> {
    return this.world.log.lines().filter((line) => line.event === event);
  }
}
