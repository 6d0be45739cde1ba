// Failover as users see it: how long until another controller leads, and until a topic can be created again; how soon a caller is
// told that no majority is left. Three controllers and a broker as processes of their own.
import { setTimeout as sleep } from 'node:timers/promises';
import { Controllers } from '../harness/controllers.ts';
import type { BenchOptions, Build } from '../harness/options.ts';
import { withScope } from '../harness/scope.ts';
import { digits, median } from '../harness/statistics.ts';
import { printTable } from '../harness/table.ts';
import type { Part } from './part.ts';

/** Milliseconds from the signal on. */
interface Replaced {
  /** Until another controller says that it leads. */
  readonly leaderMs: number;
  /** Until a topic is created that was asked for after the signal, asking again at once after each error. */
  readonly createdMs: number;
}

const KILLS = 20;
const PAUSES = 5;
const STOPS = 5;
const LOSSES = 3;
const GIVE_UP_MS = 60_000;

const FAST = { 'timing.profile': 'fast' };

async function replace(controllers: Controllers, signal: NodeJS.Signals): Promise<Replaced> {
  const { leaderId, epoch } = await controllers.settled();
  const survivors = controllers.othersThan(leaderId);
  const from = performance.now();
  controllers.signal([leaderId], signal);
  const leads = async (): Promise<number> => {
    for (;;) {
      const now = await controllers.leadership(survivors, 1000);
      if (now !== undefined && now.epoch > epoch) return performance.now() - from;
      if (performance.now() - from > GIVE_UP_MS) return Number.POSITIVE_INFINITY;
      await sleep(5);
    }
  };
  const creates = async (): Promise<number> => {
    for (;;) {
      if ((await controllers.create()).ok) return performance.now() - from;
      if (performance.now() - from > GIVE_UP_MS) return Number.POSITIVE_INFINITY;
      await sleep(5);
    }
  };
  const [leaderMs, createdMs] = await Promise.all([leads(), creates()]);
  await controllers.restore([leaderId], signal);
  return { leaderMs, createdMs };
}

async function repeat<T>(times: number, measure: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let i = 0; i < times; i++) results.push(await measure());
  return results;
}

/** Milliseconds until callers are told, through the broker and at the controller that is left; the longer of both. */
async function lose(controllers: Controllers, left: 'leader' | 'follower', signal: NodeJS.Signals): Promise<number> {
  const { leaderId } = await controllers.settled();
  const [first = 0, second = 0] = controllers.othersThan(leaderId);
  const victims = left === 'leader' ? [first, second] : [leaderId, first];
  const survivor = left === 'leader' ? leaderId : second;
  controllers.signal(victims, signal);
  const from = performance.now();
  const told = async (through?: number): Promise<number> => {
    const { ok, said } = await controllers.create(through);
    if (ok) throw new Error('a topic was created without a majority');
    if (!/majority|voters are gone|no longer the active controller|not known/.test(said)) throw new Error(said);
    return performance.now() - from;
  };
  const times = await Promise.all([told(), told(survivor)]);
  await controllers.restore(victims, signal);
  return Math.max(...times);
}

function row(name: string, times: readonly number[], target: string): string[] {
  return [name, digits(median(times)), digits(Math.max(...times)), String(times.length), target];
}

function rowsOf(name: string, results: readonly Replaced[], target: string): string[][] {
  return [
    row(
      `${name}: another leads`,
      results.map(({ leaderMs }) => leaderMs),
      target,
    ),
    row(
      '  a topic is created',
      results.map(({ createdMs }) => createdMs),
      '',
    ),
  ];
}

function within(
  options: BenchOptions,
  build: Build,
  keys: Readonly<Record<string, string>>,
  work: (controllers: Controllers) => Promise<string[][]>,
): Promise<string[][]> {
  return withScope(options.dir, async (scope) => work(await Controllers.start(scope, build, keys)));
}

async function measure(options: BenchOptions, build: Build): Promise<string[][]> {
  const isQuick = options.repetitions === 1;
  const times = (count: number): number => (isQuick ? 1 : count);
  const byDefault = await within(options, build, {}, async (controllers) => [
    ...rowsOf('killed', await repeat(times(KILLS), () => replace(controllers, 'SIGKILL')), 'median 1000, worst 2000'),
    ...rowsOf('paused', await repeat(times(PAUSES), () => replace(controllers, 'SIGSTOP')), 'worst 6000'),
    ...rowsOf('stopped in good order', await repeat(times(STOPS), () => replace(controllers, 'SIGTERM')), 'at once'),
    ...(await losses(controllers, times(LOSSES))),
  ]);
  const fast = await within(options, build, FAST, async (controllers) => [
    ...rowsOf(
      'paused, timing.profile=fast',
      await repeat(times(PAUSES), () => replace(controllers, 'SIGSTOP')),
      'worst 1000',
    ),
  ]);
  return [...byDefault, ...fast];
}

async function losses(controllers: Controllers, times: number): Promise<string[][]> {
  const rows: string[][] = [];
  for (const [signal, word, target] of [
    ['SIGKILL', 'killed', 'worst 1000'],
    ['SIGSTOP', 'paused', 'worst 4000'],
  ] as const) {
    for (const left of ['follower', 'leader'] as const) {
      const told = await repeat(times, () => lose(controllers, left, signal));
      rows.push(row(`two of three ${word}, the ${left} is left: callers are told`, told, target));
    }
  }
  return rows;
}

export const failover: Part = {
  name: 'failover',
  async run(options) {
    for (const build of options.builds) {
      const rows = await measure(options, build);
      printTable(`failover, ${build.name}, ms`, ['active controller', 'median', 'worst', 'times', 'target'], rows);
    }
  },
};
