// A whole cluster in this process, on loopback: real nodes as `kvorum start` runs them, with real TCP and gRPC between them.
// The layout of the data folder (which nodes there are) is fixed by its first start; ports are not.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { NodeId } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import { loadCodecs } from '../codec/compression.ts';
import type { NodeConfig } from '../config/node-config.ts';
import { parseNodeConfig } from '../config/node-config.ts';
import type { Env } from '../env/env.ts';
import type { Address } from '../env/network.ts';
import { randomUuid } from '../env/random.ts';
import type { Node } from '../server/node.ts';
import { startNode } from '../server/node.ts';
import { StartError } from '../server/start-error.ts';
import { formatStorage } from '../server/storage.ts';
import { createEnv } from './env.ts';
import type { LogLevel } from './logger.ts';

export interface LocalClusterOptions {
  /** Default 3. */
  readonly controllers?: number;
  /** Default 3. */
  readonly brokers?: number;
  /** Where the data stays; not set: a temporary folder that `stop` removes. */
  readonly dataDir?: string;
  /** Port of the first node of a kind; node i gets 100·(i−1) more. 0 (default): any free ports. */
  readonly kafkaPort?: number;
  readonly controllerPort?: number;
  readonly grpcPort?: number;
  /** More keys for every node, by Kafka's names, e.g. `{ 'num.partitions': '3' }`. */
  readonly config?: Readonly<Record<string, string>>;
  /** Default warn; lines go to standard error. */
  readonly logLevel?: LogLevel;
  /** A node stopped by itself: default is to throw from the event loop. */
  readonly onFatal?: (nodeId: NodeId, reason: string, cause?: unknown) => void;
}

export interface LocalCluster {
  readonly clusterId: Uuid;
  /** Kafka addresses, `host:port`, broker by broker. */
  readonly bootstrap: readonly string[];
  /** Addresses of AdminService at the brokers. */
  readonly grpc: readonly string[];
  readonly controllers: readonly string[];
  readonly dataDir: string;
  /** By id: controllers first, then brokers. */
  readonly nodes: readonly Node[];
  /** Stops every node, brokers first; removes a temporary folder. */
  stop(): Promise<void>;
}

interface Layout {
  readonly clusterId: Uuid;
  readonly controllers: number;
  readonly brokers: number;
}

const LAYOUT_FILE = 'cluster.json';
const HOST = '127.0.0.1';

/** Resolves once every broker serves every partition. StartError. */
export async function startLocalCluster(options: LocalClusterOptions = {}): Promise<LocalCluster> {
  const ephemeral = options.dataDir === undefined;
  const dataDir = ephemeral ? await mkdtemp(join(tmpdir(), 'kvorum-')) : resolve(options.dataDir);
  const env = createEnv({ level: options.logLevel ?? 'warn' });
  const nodes: Node[] = [];
  async function stop(): Promise<void> {
    const brokers = nodes.filter((node) => node.addresses.kafka.length > 0);
    await Promise.all(brokers.map((node) => node.stop()));
    await Promise.all(nodes.map((node) => node.stop()));
    if (ephemeral) await rm(dataDir, { recursive: true, force: true });
  }
  try {
    await loadCodecs();
    const layout = await loadLayout(env, dataDir, options);
    const configs = await configure(env, dataDir, layout, options);
    for (const config of configs) {
      const nodeEnv = { ...env, logger: env.logger.child({ node: config.nodeId }) };
      await formatStorage(nodeEnv, config, layout.clusterId);
      const fatal = (reason: string, cause?: unknown): void => {
        if (options.onFatal === undefined) throw new Error(`node ${config.nodeId} stopped: ${reason}`, { cause });
        options.onFatal(config.nodeId, reason, cause);
      };
      nodes.push(await startNode(nodeEnv, config, { fatal }));
    }
    await Promise.all(nodes.map((node) => node.ready));
    return {
      clusterId: layout.clusterId,
      bootstrap: nodes.flatMap((node) => node.addresses.kafka.map(text)),
      grpc: nodes.flatMap((node) => node.addresses.grpc.map(text)),
      controllers: nodes.flatMap((node) => node.addresses.controller.map(text)),
      dataDir,
      nodes,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function text({ host, port }: Address): string {
  return `${host}:${port}`;
}

/** What the folder was first started with; the voters are part of its data and cannot change with a flag. */
async function loadLayout(env: Env, dataDir: string, options: LocalClusterOptions): Promise<Layout> {
  const wanted = { controllers: options.controllers ?? 3, brokers: options.brokers ?? 3 };
  const path = join(dataDir, LAYOUT_FILE);
  const found = await readFile(path, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new StartError(`${path} cannot be read: ${(error as Error).message}`, error);
  });
  if (found === undefined) {
    const layout = { clusterId: randomUuid(env.random, 'cluster'), ...wanted };
    try {
      await mkdir(dataDir, { recursive: true });
      await writeFile(path, `${JSON.stringify(layout)}\n`);
    } catch (error) {
      throw new StartError(`${dataDir} cannot be written: ${(error as Error).message}`, error);
    }
    return layout;
  }
  const layout = parseLayout(path, found);
  if (layout.controllers !== wanted.controllers || layout.brokers !== wanted.brokers) {
    throw new StartError(
      `${dataDir} holds a cluster of ${layout.controllers} controllers and ${layout.brokers} brokers: start it with these numbers, or name another folder`,
    );
  }
  return layout;
}

function parseLayout(path: string, content: string): Layout {
  try {
    const { clusterId, controllers, brokers } = JSON.parse(content) as Layout;
    if (typeof clusterId === 'string' && controllers >= 1 && brokers >= 0) return { clusterId, controllers, brokers };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new StartError(
    `${path} cannot be understood: name another data folder, or remove this one to start without its data`,
  );
}

async function configure(
  env: Env,
  dataDir: string,
  layout: Layout,
  options: LocalClusterOptions,
): Promise<NodeConfig[]> {
  const { controllers, brokers } = layout;
  const controllerPorts = await ports(env, options.controllerPort ?? 0, controllers);
  const voters = controllerPorts.map((port, i) => `${i + 1}@${HOST}:${port}`).join(',');
  const port = (first: number | undefined, i: number): number => ((first ?? 0) === 0 ? 0 : (first ?? 0) + 100 * i);
  const configs: NodeConfig[] = [];
  for (const [i, controllerPort] of controllerPorts.entries()) {
    const listeners = `CONTROLLER://${HOST}:${controllerPort}`;
    configs.push(nodeConfig(dataDir, i + 1, { 'process.roles': 'controller', listeners }, voters, options));
  }
  for (let i = 0; i < brokers; i++) {
    const listeners = `PLAINTEXT://${HOST}:${port(options.kafkaPort, i)},GRPC://${HOST}:${port(options.grpcPort, i)}`;
    const keys = { 'process.roles': 'broker', listeners };
    configs.push(nodeConfig(dataDir, controllers + i + 1, keys, voters, options));
  }
  return configs;
}

/** Controllers name each other in their configuration, so their ports must be known before any of them is bound. */
async function ports(env: Env, first: number, count: number): Promise<number[]> {
  if (first !== 0) return Array.from({ length: count }, (_, i) => first + 100 * i);
  const probes = [];
  for (let i = 0; i < count; i++) {
    probes.push(
      await env.network.listen({ host: HOST, port: 0 }, () => {
        return { data: () => {}, closed: () => {} };
      }),
    );
  }
  const found = probes.map((probe) => probe.address.port);
  await Promise.all(probes.map((probe) => probe.close()));
  return found;
}

function nodeConfig(
  dataDir: string,
  id: NodeId,
  own: Readonly<Record<string, string>>,
  voters: string,
  options: LocalClusterOptions,
): NodeConfig {
  const keys = {
    'node.id': String(id),
    'controller.quorum.voters': voters,
    'log.dirs': join(dataDir, `node-${id}`),
    'timing.profile': 'dev',
    ...own,
    ...options.config,
  };
  const lines = Object.entries(keys).map(([key, value]) => `${key}=${value.replaceAll('\\', '\\\\')}`);
  const result = parseNodeConfig(lines.join('\n'));
  if (!result.ok) throw new StartError(result.errors.join('; '));
  return result.config;
}
