// Real nodes as users start them, from a build: one process with a whole cluster (`kvorum dev`), or one process per node
// (`kvorum format` and `kvorum start`).
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import * as net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FrameClient } from './frame-client.ts';
import { apiVersionsRequest } from './kafka.ts';
import type { Build } from './options.ts';
import type { Started } from './process.ts';
import { startNodeProcess } from './process.ts';
import type { Scope } from './scope.ts';

export interface DevCluster {
  readonly process: Started;
  readonly pid: number;
  /** Kafka port of the first broker. */
  readonly port: number;
}

export interface DevOptions {
  readonly controllers?: number;
  readonly brokers?: number;
  readonly dataDir?: string;
  /** By Kafka's names. */
  readonly config?: Readonly<Record<string, string>>;
  /** For node itself. */
  readonly nodeArgs?: readonly string[];
}

function executableOf(build: Build): string {
  return join(build.dist, 'cli/kvorum.cjs');
}

/** Starts `kvorum dev` on free ports; resolves when every partition is served. */
export async function startDev(scope: Scope, build: Build, options: DevOptions = {}): Promise<DevCluster> {
  const config = Object.entries(options.config ?? {}).map(([key, value]) => `${key}=${value}`);
  const started = startNodeProcess(scope, [
    ...(options.nodeArgs ?? []),
    executableOf(build),
    'dev',
    ...(options.dataDir === undefined ? ['--ephemeral'] : ['--data-dir', options.dataDir]),
    ...['--controllers', String(options.controllers ?? 1), '--brokers', String(options.brokers ?? 1)],
    ...['--kafka-port', '0', '--controller-port', '0', '--grpc-port', '0', '--format', 'json'],
    ...(config.length === 0 ? [] : ['--config', ...config]),
  ]);
  const { bootstrap } = JSON.parse(await started.firstLine) as { bootstrap: string[] };
  return { process: started, pid: started.pid, port: Number(bootstrap[0]?.split(':').at(-1)) };
}

export interface StartedNode {
  readonly nodeId: number;
  readonly pid: number;
  /** Of the controller or Kafka listener. */
  readonly port: number;
  /** Of the gRPC listener: a controller has one only. */
  readonly grpcPort: number;
  readonly dataDir: string;
  signal(signal: NodeJS.Signals): void;
  /** Starts the process again, once the one before has ended. */
  restart(): Promise<void>;
}

export interface SeparateCluster {
  readonly clusterId: string;
  readonly controllers: readonly StartedNode[];
  readonly brokers: readonly StartedNode[];
}

export interface SeparateOptions {
  /** Beside the defaults of `kvorum start`, by Kafka's names. */
  readonly brokerConfig?: Readonly<Record<string, string>>;
  readonly controllerConfig?: Readonly<Record<string, string>>;
  /** 1 by default. */
  readonly brokers?: number;
  /** For node itself, where it runs a controller. */
  readonly nodeArgs?: readonly string[];
  /** For node itself, where it runs a broker. */
  readonly brokerArgs?: readonly string[];
}

/** Formats and starts three controllers and brokers, each in a process of its own. */
export async function startSeparately(
  scope: Scope,
  build: Build,
  { brokerConfig = {}, controllerConfig = {}, brokers = 1, nodeArgs = [], brokerArgs = [] }: SeparateOptions = {},
): Promise<SeparateCluster> {
  const folder = scope.folder();
  const nodeCount = 3 + brokers;
  const ports = await freePorts(nodeCount + brokers);
  const voters = ports.slice(0, 3).map((port, i) => `${i + 1}@127.0.0.1:${port}`);
  const clusterId = execFileSync(process.execPath, [executableOf(build), 'random-id'], { encoding: 'utf8' }).trim();
  const nodes = ports.slice(0, nodeCount).map((port, i): StartedNode => {
    const dataDir = join(folder, `node-${i + 1}`);
    const role = i < 3 ? 'controller' : 'broker';
    const grpcPort = i < 3 ? port : (ports[i + brokers] ?? 0);
    const kafka = `PLAINTEXT://127.0.0.1:${port},GRPC://127.0.0.1:${grpcPort}`;
    const keys = {
      'node.id': i + 1,
      'process.roles': role,
      'controller.quorum.voters': voters.join(','),
      listeners: role === 'controller' ? `CONTROLLER://127.0.0.1:${port}` : kafka,
      'log.dirs': dataDir,
      ...(role === 'broker' ? brokerConfig : controllerConfig),
    };
    mkdirSync(dataDir, { recursive: true });
    const file = join(folder, `node-${i + 1}.properties`);
    writeFileSync(file, keysAsText(keys));
    execFileSync(process.execPath, [executableOf(build), 'format', '--cluster-id', clusterId, '--config', file]);
    const forNode = role === 'broker' ? brokerArgs : nodeArgs;
    const args = [...forNode, executableOf(build), 'start', '--config', file];
    return beginNode(scope, args, { nodeId: i + 1, port, grpcPort, dataDir });
  });
  return { clusterId, controllers: nodes.slice(0, 3), brokers: nodes.slice(3) };
}

function beginNode(
  scope: Scope,
  args: readonly string[],
  identity: Pick<StartedNode, 'nodeId' | 'port' | 'grpcPort' | 'dataDir'>,
): StartedNode {
  let started = startNodeProcess(scope, args);
  return {
    ...identity,
    get pid() {
      return started.pid;
    },
    signal: (signal) => void started.child.kill(signal),
    async restart() {
      const { child } = started;
      while (child.exitCode === null && child.signalCode === null) await sleep(5);
      started = startNodeProcess(scope, args);
    },
  };
}

function keysAsText(keys: object): string {
  return Object.entries(keys)
    .map(([key, value]) => `${key}=${String(value)}\n`)
    .join('');
}

const SERVED_WITHIN_MS = 30_000;

/** Connects to a broker's Kafka port once it answers there: it takes connections before, but reads nothing yet. */
export async function connectWhenServed(port: number): Promise<FrameClient> {
  const deadline = performance.now() + SERVED_WITHIN_MS;
  for (;;) {
    try {
      const client = await FrameClient.open(port);
      await client.call(apiVersionsRequest());
      return client;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(50);
    }
  }
}

/** Ports that nothing listens on at this moment. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = net.createServer();
      return new Promise<net.Server>((resolve, reject) => {
        server.once('error', reject);
        server.listen(0, '127.0.0.1', () => resolve(server));
      });
    }),
  );
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
