// What the active controller does in a second, and what a big cluster costs it: topics created over gRPC, one after the other and in
// bulk; a broker fenced that leads many partitions. Three controllers are processes of their own; brokers are registered, no more.
import { setTimeout as sleep } from 'node:timers/promises';
import { BROKER_IDS, ControllerLoad, PARTITIONS_PER_TOPIC } from '../harness/controller-load.ts';
import type { StartedNode } from '../harness/kvorum.ts';
import { worstPause } from '../harness/loop-watch.ts';
import type { BenchOptions, Build } from '../harness/options.ts';
import { cpuSeconds, residentMegabytes } from '../harness/process.ts';
import { withScope } from '../harness/scope.ts';
import { digits, median, percentile } from '../harness/statistics.ts';
import { printTable } from '../harness/table.ts';
import type { Part } from './part.ts';

const BULK = { topics: 1000, partitions: PARTITIONS_PER_TOPIC, perCall: 50, inFlight: 4 };
const TARGET_PER_SECOND = 20_000;
const TARGET_CREATE_MS = 3;
const TARGET_FENCE_MS = 1000;
const TARGET_PAUSE_MS = 100;

function row(name: string, values: readonly number[], target: number, better: 'more' | 'less' = 'less'): string[] {
  const worst = better === 'less' ? Math.max(...values) : Math.min(...values);
  return [name, digits(median(values)), digits(worst), digits(target), digits(median(values) / target)];
}

/** Partitions per second of each round, and what the active controller's processor needed for one, in microseconds. */
async function bulk(load: ControllerLoad, rounds: number): Promise<string[][]> {
  const perSecond: number[] = [];
  const cpu: number[] = [];
  const count = BULK.topics * BULK.partitions;
  for (let i = 0; i < rounds; i++) {
    const { pid } = await load.active();
    const before = cpuSeconds(pid);
    perSecond.push((count / (await load.createMany(BULK))) * 1000);
    cpu.push(((cpuSeconds(pid) - before) / count) * 1e6);
  }
  return [
    row(`1000 topics of 10 partitions: partitions/s`, perSecond, TARGET_PER_SECOND, 'more'),
    row('  µs of the controller each', cpu, Number.NaN),
  ];
}

/** Milliseconds from request to answer, one call after the other. */
async function singly(load: ControllerLoad, seconds: number): Promise<number[]> {
  const times: number[] = [];
  const started = performance.now();
  for (let before = started; before - started < seconds * 1000; before = performance.now()) {
    await load.create(1, 1);
    times.push(performance.now() - before);
  }
  return times;
}

function latencyRow(name: string, times: readonly number[]): string[] {
  const p50 = percentile(times, 50);
  return [name, digits(p50), digits(percentile(times, 99)), digits(TARGET_CREATE_MS), digits(p50 / TARGET_CREATE_MS)];
}

async function pauseOf(load: ControllerLoad, controllers: readonly StartedNode[]): Promise<[number, number]> {
  const pauses = await Promise.all(controllers.map(({ pid }) => worstPause(load.folder, pid)));
  return [Math.max(...pauses.map(({ pauseMs }) => pauseMs)), Math.max(...pauses.map(({ cpuMs }) => cpuMs))];
}

/** A broker is fenced that leads a third of all partitions. */
async function fence(load: ControllerLoad): Promise<string[][]> {
  const [victim] = BROKER_IDS;
  const { brokers } = await load.describe();
  const leads = brokers.find(({ brokerId }) => brokerId === victim)?.leaderCount ?? 0;
  await pauseOf(load, load.controllers);
  const { pid } = await load.active();
  const cpuBefore = cpuSeconds(pid);
  const started = performance.now();
  const answered = load.standIns.leave(victim).then(() => performance.now() - started);
  for (;;) {
    const { brokers: now } = await load.describe();
    if (now.find(({ brokerId }) => brokerId === victim)?.leaderCount === 0) break;
    if (performance.now() - started > 60_000) throw new Error('the broker that left leads still');
    await sleep(5);
  }
  const tookMs = performance.now() - started;
  const activeMs = (cpuSeconds(pid) - cpuBefore) * 1000;
  const [pauseMs, cpuMs] = await pauseOf(load, load.controllers);
  return [
    row(`a broker that leads ${leads} is fenced: others lead, ms`, [tookMs], TARGET_FENCE_MS),
    row('  it is told, ms', [await answered], Number.NaN),
    row('  processor time of the active controller, ms', [activeMs], Number.NaN),
    row('  longest pause of a controller, ms', [pauseMs], TARGET_PAUSE_MS),
    row('    most processor time in one turn, ms', [cpuMs], Number.NaN),
  ];
}

async function measure(options: BenchOptions, build: Build): Promise<void> {
  const isQuick = options.repetitions === 1;
  const rounds = isQuick ? 1 : 3;
  await withScope(options.dir, async (scope) => {
    const load = await ControllerLoad.start(scope, build, options.profileDir);
    const resident = (): string => load.controllers.map(({ pid }) => digits(residentMegabytes(pid))).join(', ');
    const before = resident();
    // As long again before, to warm up.
    await singly(load, options.seconds);
    const rows = [latencyRow('one topic, ms (p50, p99)', await singly(load, options.seconds))];
    await load.createMany({ ...BULK, topics: 100 });
    rows.push(...(await bulk(load, rounds)));
    rows.push(latencyRow(`one topic of ${rounds * 10_000} partitions more, ms`, await singly(load, options.seconds)));
    rows.push(...(await fence(load)));
    printTable(
      `controller, ${build.name}, replication factor ${load.replicationFactor}`,
      ['', 'median', 'worst', 'target', 'of target'],
      rows,
    );
    console.log(`  controllers resident: ${before} MB at first, ${resident()} MB afterwards`);
  });
}

export const controller: Part = {
  name: 'controller',
  async run(options) {
    for (const build of options.builds) await measure(options, build);
  },
};
