// Six processes, three controllers and three brokers, each with a configuration, a folder and a log file of its own, on a network that
// can be cut.
import { cpSync, createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LossEntry, LossRange } from '../../../src/check/history.ts';
import { parseHostPort } from '../../../src/config/listeners.ts';
import type { RpcClient, RpcMethod } from '../../../src/env/network.ts';
import { RpcError } from '../../../src/env/network.ts';
import type { PartitionDescription } from '../../../src/gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition as Admin } from '../../../src/gen/kvorum/v1/admin.ts';
import { LossKind } from '../../../src/gen/kvorum/v1/metadata.ts';
import { createEnv } from '../../../src/node/env.ts';
import { clusterServes, kvorumOk, program } from '../kvorum.ts';
import { eventually, freePorts, Process, temporaryFolder } from '../processes.ts';
import type { NodeNetwork } from './network.ts';
import { createNetwork } from './network.ts';

const CONTROLLERS: readonly number[] = [1, 2, 3];
export const BROKERS: readonly number[] = [4, 5, 6];
export const NODES: readonly number[] = [...CONTROLLERS, ...BROKERS];

export interface ClusterOptions {
  /** Of all nodes, beside what they need to find each other. */
  readonly keys?: Readonly<Record<string, string>>;
  /** The built command line; default this repository's. */
  readonly program?: string;
}

const KINDS: Readonly<Partial<Record<LossKind, LossRange['kind']>>> = {
  [LossKind.LED]: 'led',
  [LossKind.CUT]: 'cut',
  [LossKind.HOLE]: 'hole',
  [LossKind.SHORT]: 'short',
  [LossKind.GONE]: 'gone',
};

interface Ports {
  /** For other nodes: of a controller its only one, of a broker the one of `inter.broker.listener.name`. */
  readonly nodes: number;
  /** By which the other nodes come to that. */
  readonly front: number;
  readonly kafka: number;
  readonly grpc: number;
}

/** Dead brokers are noticed within seconds; controllers have the patience of production, as six processes share few cores here. */
const SESSIONS = { 'broker.session.timeout.ms': '3000', 'broker.heartbeat.interval.ms': '500' };

type AddressOf = (id: number, port: keyof Ports) => string;

export class SixProcesses {
  /** Of configurations, data and the nodes' logs. */
  readonly folder = temporaryFolder();
  readonly network: NodeNetwork;
  /** Kafka addresses of the brokers, comma separated. */
  readonly bootstrap: string;
  /** gRPC addresses of the brokers. */
  readonly servers: readonly string[];
  readonly #program: string;
  readonly #processes = new Map<number, Process>();
  readonly #clients = new Map<string, RpcClient>();
  readonly #fallen: string[] = [];

  private constructor(network: NodeNetwork, ports: ReadonlyMap<number, Ports>, options: ClusterOptions) {
    this.network = network;
    this.#program = options.program ?? program;
    const at = (id: number, port: keyof Ports): string => `${network.hostOf(id)}:${(ports.get(id) as Ports)[port]}`;
    this.bootstrap = BROKERS.map((id) => at(id, 'kafka')).join(',');
    this.servers = BROKERS.map((id) => at(id, 'grpc'));
    const voters = CONTROLLERS.map((id) => `${id}@${at(id, 'front')}`).join(',');
    for (const id of NODES) {
      const keys = {
        'node.id': String(id),
        'controller.quorum.voters': voters,
        'log.dirs': this.dataOf(id),
        ...SESSIONS,
        ...(isController(id) ? controllerKeys(id, at) : brokerKeys(id, at)),
        ...options.keys,
      };
      const lines = Object.entries(keys).map(([key, value]) => `${key}=${value}\n`);
      writeFileSync(this.#fileOf(id), lines.join(''));
    }
    mkdirSync(join(this.folder, 'logs'));
  }

  /** Formatted and started; resolves when all brokers serve. */
  static async start(options: ClusterOptions = {}): Promise<SixProcesses> {
    const network = createNetwork(NODES);
    const cluster = new SixProcesses(network, await portsOf(network), options);
    try {
      const clusterId = (await kvorumOk(['random-id'])).trim();
      for (const id of NODES) await kvorumOk(['format', '--cluster-id', clusterId, '--config', cluster.#fileOf(id)]);
      for (const id of NODES) cluster.begin(id);
      await clusterServes(cluster.server, BROKERS.length);
    } catch (error) {
      network.remove();
      throw error;
    }
    return cluster;
  }

  /** gRPC address of a broker that runs. */
  get server(): string {
    return this.serverOf(BROKERS.find((id) => this.#processes.has(id)) ?? (BROKERS[0] as number));
  }

  /** gRPC address of a broker. */
  serverOf(id: number): string {
    return this.servers[BROKERS.indexOf(id)] as string;
  }

  dataOf(id: number): string {
    return join(this.folder, `data-${id}`);
  }

  #fileOf(id: number): string {
    return join(this.folder, `node-${id}.properties`);
  }

  /** Starts the node's process, if it does not run. */
  begin(id: number): void {
    if (this.#processes.has(id)) return;
    const [command = '', ...args] = this.network.commandAt(id, [
      process.execPath,
      this.#program,
      'start',
      '--config',
      this.#fileOf(id),
    ]);
    const log = createWriteStream(join(this.folder, 'logs', `node-${id}.log`), { flags: 'a' });
    const node = new Process(command, args, { cwd: this.folder, log });
    this.network.started(id, node.pid);
    this.#processes.set(id, node);
  }

  isRunning(id: number): boolean {
    return this.#processes.has(id);
  }

  /** Sends the signal; resolves when a process that it ends is gone. Nothing if it does not run. */
  async signal(id: number, signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    const node = this.#processes.get(id);
    if (node === undefined) return;
    if (node.isEnded) await this.#noteFallen(id, node);
    node.kill(signal);
    if (signal === 'SIGSTOP' || signal === 'SIGCONT') return;
    const { code, stderr } = await node.ended(60_000);
    if (this.#processes.get(id) === node) this.#processes.delete(id);
    if (signal === 'SIGTERM' && code !== 0 && code !== null) {
      throw new Error(`node ${id} stopped with ${code}: ${stderr.slice(-4000)}`);
    }
  }

  async #noteFallen(id: number, node: Process): Promise<void> {
    const { code, signal, stderr } = await node.ended();
    if (this.#processes.get(id) !== node) return;
    this.#processes.delete(id);
    this.#fallen.push(
      `${isController(id) ? 'controller' : 'broker'} ${id} ended by itself (${code ?? signal}): ${stderr.slice(-3000)}`,
    );
  }

  /** Nodes that ended though nobody ended them, a sentence each. */
  async fallen(): Promise<readonly string[]> {
    for (const [id, node] of this.#processes) if (node.isEnded) await this.#noteFallen(id, node);
    return this.#fallen;
  }

  /** Calls AdminService at the first broker that answers; the last RpcError if none does. */
  async ask<Request, Response>(
    method: RpcMethod<Request, Response>,
    request: Request,
    timeoutMs = 2000,
  ): Promise<Response> {
    let failure: unknown;
    for (const server of this.servers) {
      try {
        return await this.#clientOf(server).call(Admin, method, request, timeoutMs);
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  #clientOf(server: string): RpcClient {
    const { host, port } = parseHostPort(server) ?? { host: '', port: 0 };
    const client = this.#clients.get(server) ?? createEnv({ level: 'error' }).network.client({ host, port });
    this.#clients.set(server, client);
    return client;
  }

  async createTopic(topic: string, partitions: number, configs: Readonly<Record<string, string>> = {}): Promise<void> {
    const config = Object.entries(configs).flatMap(([key, value]) => ['--config', `${key}=${value}`]);
    const counts = ['--partitions', String(partitions), '--replication-factor', String(BROKERS.length)];
    await kvorumOk(['topic', 'create', topic, ...counts, ...config, '--server', this.server]);
  }

  /** The partitions of a topic, as any broker that answers says. */
  async partitions(topic: string): Promise<readonly PartitionDescription[]> {
    const { topics } = await this.ask(Admin.methods.describeTopics, { topics: [{ name: topic, topicId: '' }] });
    return topics[0]?.partitions ?? [];
  }

  /** The id of the controller that leads, -1 if nobody knows. */
  async activeController(): Promise<number> {
    return (await this.ask(Admin.methods.describeCluster, {})).controllerId;
  }

  /** Ids of the brokers that are not fenced. */
  async brokersServing(): Promise<number[]> {
    const { brokers } = await this.ask(Admin.methods.describeCluster, {});
    return brokers.filter(({ fenced }) => !fenced).map(({ brokerId }) => brokerId);
  }

  /** The loss ledger. */
  async ledger(): Promise<LossEntry[]> {
    const { losses } = await this.ask(Admin.methods.describeLosses, { topics: [], onlyOpen: false });
    return losses.map(({ topic, partition, leader, oldLeaderEpoch, newLeaderEpoch, replicas, awaited }) => ({
      ...{ topic, partition, leader, oldLeaderEpoch, newLeaderEpoch, awaited },
      ranges: replicas.map(({ brokerId, leaderEpoch, kind, fromOffset, toOffset, highWatermark }) => ({
        ...{ brokerId, leaderEpoch, fromOffset, toOffset, highWatermark },
        kind: KINDS[kind] ?? 'cut',
      })),
    }));
  }

  /** Waits until every partition of the topics has a leader and all replicas in its ISR. */
  async allInSync(topics: readonly string[], timeoutMs = 60_000): Promise<void> {
    await eventually(
      `all replicas of ${topics.join(', ')} are in sync`,
      async () => {
        for (const topic of topics) {
          const partitions = await this.partitions(topic);
          const lacking = partitions.find(({ leader, isr }) => leader < 0 || isr.length < BROKERS.length);
          if (lacking !== undefined) throw new Error(`${topic}: ${JSON.stringify(lacking)}`);
          if (partitions.length === 0) throw new Error(`${topic} is not described`);
        }
        return true;
      },
      timeoutMs,
    );
  }

  /** Stops the brokers in good order, so that their folders can be read. */
  async stopBrokers(): Promise<void> {
    await Promise.all(BROKERS.map((id) => this.signal(id, 'SIGTERM')));
  }

  /** Copies what the nodes said to a folder of `replay/`, and says so. */
  keepLogs(what: string): string {
    const name = `e2e-${what.replaceAll(/[^a-z0-9]+/gi, '-').slice(0, 40)}-${process.pid}`;
    const folder = join(import.meta.dirname, '../../../replay', name);
    cpSync(join(this.folder, 'logs'), join(folder, 'logs'), { recursive: true });
    process.stdout.write(`what the nodes said is kept in ${folder}\n`);
    return folder;
  }

  /** Kills what runs, and takes the network down. */
  async remove(): Promise<void> {
    for (const client of this.#clients.values()) client.close();
    await Promise.all(NODES.map((id) => this.signal(id, 'SIGKILL').catch(() => undefined)));
    this.network.remove();
  }
}

function isController(id: number): boolean {
  return CONTROLLERS.includes(id);
}

/** The usual ones where each node has an address of its own. */
async function portsOf(network: NodeNetwork): Promise<Map<number, Ports>> {
  const free = network.hasOwnPorts ? [] : await freePorts(3 * NODES.length);
  const all = new Map<number, Ports>();
  for (const id of NODES) {
    const [nodes = 9093, kafka = 9092, grpc = 9094] = free.splice(0, 3);
    all.set(id, { nodes, front: await network.frontOf(id, nodes), kafka, grpc });
  }
  return all;
}

function controllerKeys(id: number, at: AddressOf): Record<string, string> {
  return {
    'process.roles': 'controller',
    listeners: `CONTROLLER://${at(id, 'nodes')}`,
    'advertised.listeners': `CONTROLLER://${at(id, 'front')}`,
  };
}

function brokerKeys(id: number, at: AddressOf): Record<string, string> {
  const clients = `PLAINTEXT://${at(id, 'kafka')},GRPC://${at(id, 'grpc')}`;
  return {
    'process.roles': 'broker',
    listeners: `${clients},REPLICATION://${at(id, 'nodes')}`,
    'advertised.listeners': `${clients},REPLICATION://${at(id, 'front')}`,
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,GRPC:GRPC,REPLICATION:PLAINTEXT',
    'inter.broker.listener.name': 'REPLICATION',
  };
}
