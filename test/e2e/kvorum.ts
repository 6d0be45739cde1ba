// The built command line as users run it, and clusters made of it: `dev` in one process, `start` one process per node.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ended } from './processes.ts';
import { eventually, freePorts, Process, run, temporaryFolder } from './processes.ts';

const root = join(import.meta.dirname, '../..');
export const program = join(root, 'dist/cli/kvorum.cjs');
if (!existsSync(program)) throw new Error('dist/ is missing: run make build first (make e2e does)');

/** Runs a command of the command line to its end. */
export function kvorum(args: readonly string[], input = '', cwd?: string): Promise<Ended> {
  return run(process.execPath, [program, ...args], input, cwd === undefined ? {} : { cwd });
}

/** The same for commands that must succeed; resolves with what they printed. */
export async function kvorumOk(args: readonly string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await kvorum(args, input);
  if (code !== 0) throw new Error(`kvorum ${args.join(' ')} ended with ${code}: ${stdout}${stderr}`);
  return stdout;
}

/** What `dev --format json` prints first. */
export interface DevCluster {
  readonly bootstrap: readonly string[];
  readonly grpc: readonly string[];
  readonly controllers: readonly string[];
  readonly dataDir: string;
}

export interface RunningDev extends DevCluster {
  readonly process: Process;
  /** host:port of a gRPC listener, for --server. */
  readonly server: string;
}

/** `kvorum dev` on free ports, once it serves. Without `dataDir` its data is temporary. */
export async function startDev(options: { dataDir?: string; args?: readonly string[] } = {}): Promise<RunningDev> {
  const data = options.dataDir === undefined ? ['--ephemeral'] : ['--data-dir', options.dataDir];
  const ports = ['--kafka-port', '0', '--controller-port', '0', '--grpc-port', '0'];
  const args = [program, 'dev', '--format', 'json', ...data, ...ports, ...(options.args ?? [])];
  const temporary = temporaryFolder();
  const process = new Process(globalThis.process.execPath, args, { cwd: temporary, temporary, group: true });
  await process.until(({ stdout }) => stdout.includes('\n'), 'first line');
  const cluster = JSON.parse(process.stdout.slice(0, process.stdout.indexOf('\n'))) as DevCluster;
  return { ...cluster, process, server: cluster.grpc[0] ?? '' };
}

/** A node of its own, from a configuration file. */
export interface NodeFile {
  readonly nodeId: number;
  readonly isController: boolean;
  readonly path: string;
  readonly dataDir: string;
}

export interface SixNodes {
  readonly nodes: readonly NodeFile[];
  readonly bootstrap: string;
  /** gRPC addresses of the brokers. */
  readonly servers: readonly string[];
}

const PORTS = [9093, 9193, 9293, 9092, 9192, 9292, 9094, 9194, 9294];

/** Copies of the six files of deploy/, with free ports and folders of their own instead; nothing else is changed. */
export async function copyDeployment(): Promise<SixNodes> {
  const folder = temporaryFolder();
  const free = await freePorts(PORTS.length);
  const portFor = (port: number): number => free[PORTS.indexOf(port)] as number;
  const source = join(root, 'deploy');
  const files = readdirSync(source).filter((name) => name.endsWith('.properties'));
  const nodes = files.map((name): NodeFile => {
    const text = readFileSync(join(source, name), 'utf8')
      .replaceAll(/127\.0\.0\.1:(\d+)/g, (_, port: string) => `127.0.0.1:${portFor(Number(port))}`)
      .replaceAll(/^log\.dirs=/gm, `log.dirs=${folder}/`);
    const path = join(folder, name);
    writeFileSync(path, text);
    const value = (key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(text)?.[1] ?? '';
    return {
      nodeId: Number(value('node.id')),
      isController: value('process.roles') === 'controller',
      path,
      dataDir: value('log.dirs'),
    };
  });
  const address = (port: number): string => `127.0.0.1:${portFor(port)}`;
  return {
    nodes: nodes.sort((a, b) => a.nodeId - b.nodeId),
    bootstrap: [9092, 9192, 9292].map(address).join(','),
    servers: [9094, 9194, 9294].map(address),
  };
}

/** `kvorum start`; its log goes to standard error. */
export function startNode(file: string): Process {
  return new Process(process.execPath, [program, 'start', '--config', file], { cwd: temporaryFolder() });
}

export interface ClusterView {
  readonly controllerId: number;
  readonly brokers: readonly { readonly brokerId: number; readonly fenced: boolean }[];
}

/** What the server says of the cluster. */
export async function describeCluster(server: string): Promise<ClusterView> {
  return JSON.parse(await kvorumOk(['cluster', 'describe', '--format', 'json', '--server', server])) as ClusterView;
}

/** Waits until the server knows an active controller and `brokers` brokers that serve. */
export function clusterServes(server: string, brokers: number): Promise<ClusterView> {
  return eventually(`${brokers} brokers serve`, async () => {
    const view = await describeCluster(server);
    const serving = view.brokers.filter(({ fenced }) => !fenced);
    return view.controllerId >= 0 && serving.length === brokers ? view : undefined;
  });
}
