// kcat: an unmodified librdkafka client. Installed with apt-get where it is missing and that is possible. Where apt-get is,
// kcat can be had, so its absence is a failure; elsewhere the tests that need it are skipped and say so.
import { spawnSync } from 'node:child_process';
import type { Ended } from './processes.ts';
import { Process, run } from './processes.ts';

/** Debian's name, and its name before that. */
const NAMES = ['kcat', 'kafkacat'];

function runs(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

function aptGet(...args: string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const { status, stdout, stderr } = spawnSync('apt-get', args, { env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`kcat is missing and apt-get ${args.join(' ')} failed: ${stdout}${stderr}`);
}

function findOrInstall(): string | undefined {
  const installed = (): string | undefined => NAMES.find((name) => runs(name, '-V'));
  const found = installed();
  if (found !== undefined) return found;
  if (!runs('apt-get', '--version')) {
    process.stderr.write('kcat is not installed and there is no apt-get to get it with: tests with kcat are skipped\n');
    return undefined;
  }
  if (process.getuid?.() !== 0) {
    throw new Error('kcat is missing and only root can install it: run apt-get install kcat, then these tests again');
  }
  aptGet('update');
  aptGet('install', '--yes', '--no-install-recommends', 'kcat');
  const now = installed();
  if (now === undefined) throw new Error('kcat was installed with apt-get and does not run');
  return now;
}

const program = findOrInstall();

/** Whether there is a kcat to test with. */
export const hasKcat = program !== undefined;

/** Starts kcat; its standard input is open. */
export function startKcat(args: readonly string[]): Process {
  return new Process(program ?? 'kcat', args);
}

/** Runs kcat to its end. */
export function kcat(args: readonly string[], input = ''): Promise<Ended> {
  return run(program ?? 'kcat', args, input);
}

/** The same where it must succeed. */
export async function kcatOk(args: readonly string[], input = ''): Promise<Ended> {
  const ended = await kcat(args, input);
  if (ended.code !== 0) throw new Error(`kcat ${args.join(' ')} ended with ${ended.code}: ${ended.stderr}`);
  return ended;
}

/** A record as `kcat -C -J` prints it; headers as name, value, name, value, … */
export interface KcatRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly ts: number;
  readonly key: string | null;
  readonly payload: string | null;
  readonly headers?: readonly (string | null)[];
}

/** The topic's records from its beginning (or from what `args` say) to its end, as they come. */
export async function consumeWithKcat(
  bootstrap: string,
  topic: string,
  args: readonly string[] = ['-o', 'beginning'],
): Promise<KcatRecord[]> {
  const { stdout } = await kcatOk(['-C', '-b', bootstrap, '-t', topic, '-e', '-q', '-J', ...args]);
  return parseLines(stdout);
}

/** One record per line. */
export function parseLines(stdout: string): KcatRecord[] {
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as KcatRecord);
}

interface Listing {
  readonly brokers: readonly { readonly id: number }[];
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number; readonly leader: number }[];
  }[];
}

/** What `kcat -L` says of the cluster, and of one topic if it is named. */
export async function listWithKcat(bootstrap: string, topic?: string): Promise<Listing> {
  const { stdout } = await kcatOk(['-L', '-J', '-b', bootstrap, ...(topic === undefined ? [] : ['-t', topic])]);
  return JSON.parse(stdout) as Listing;
}

/** The leaders of the topic's partitions, lowest id first. */
export async function leadersWithKcat(bootstrap: string, topic: string): Promise<number[]> {
  const { topics } = await listWithKcat(bootstrap, topic);
  return (topics[0]?.partitions ?? []).map(({ leader }) => leader).toSorted((a, b) => a - b);
}
