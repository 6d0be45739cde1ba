// Resident memory of `kvorum start` processes: idle (with what that costs), and after a broker took two gigabytes and gave some.
import { setTimeout as sleep } from 'node:timers/promises';
import { checkProduced, createTopic, produceRequest, randomBatch, readOver } from '../harness/kafka.ts';
import { connectWhenServed, startSeparately } from '../harness/kvorum.ts';
import { fetchFor, produceFor } from '../harness/load.ts';
import type { BenchOptions, Build } from '../harness/options.ts';
import { cpuSeconds, residentMegabytes, startNodeProcess } from '../harness/process.ts';
import type { Scope } from '../harness/scope.ts';
import { withScope } from '../harness/scope.ts';
import { digits } from '../harness/statistics.ts';
import { printTable } from '../harness/table.ts';
import type { Part } from './part.ts';

const SETTLE_MS = 3000;
const IDLE_SECONDS = 5;
const BATCH_BYTES = 64 * 1024;
const FETCH_BYTES = 1024 * 1024;
const PRODUCED_BYTES = 2e9;
const LIMIT_SECONDS = 120;

function row(name: string, pid: number, cpu = Number.NaN): string[] {
  return [name, digits(residentMegabytes(pid)), digits(cpu * 1000)];
}

/** Rows of processes by name, after some seconds of doing nothing. */
async function idleRows(processes: ReadonlyMap<string, number>): Promise<string[][]> {
  await sleep(SETTLE_MS);
  const before = new Map([...processes].map(([name, pid]) => [name, cpuSeconds(pid)]));
  await sleep(IDLE_SECONDS * 1000);
  return [...processes].map(([name, pid]) => {
    return row(name, pid, (cpuSeconds(pid) - (before.get(name) ?? Number.NaN)) / IDLE_SECONDS);
  });
}

async function measure(scope: Scope, options: BenchOptions, build: Build): Promise<void> {
  const node = startNodeProcess(scope, ['-e', 'setInterval(() => {}, 1e9)']);
  const { controllers, brokers } = await startSeparately(scope, build, {
    brokerConfig: { 'log.flush.mode': 'async' },
  });
  const [broker] = brokers;
  if (broker === undefined) throw new Error('no broker');
  const client = await connectWhenServed(broker.port);
  const processes = new Map([
    ['node, idle', node.pid],
    ...controllers.map(({ nodeId, pid }): [string, number] => [`controller ${nodeId}, idle`, pid]),
    ['broker, idle', broker.pid],
  ]);
  const rows = await idleRows(processes);
  const batch = randomBatch(BATCH_BYTES);
  const topic = await createTopic(client);
  const load = { bytes: batch.length, seconds: LIMIT_SECONDS, maxBytes: PRODUCED_BYTES, check: checkProduced };
  await produceFor(client, broker.pid, { frame: produceRequest(topic, batch), ...load });
  rows.push(row('broker, 2 GB produced', broker.pid));
  await fetchFor(client, broker.pid, { ...readOver(topic, FETCH_BYTES), seconds: options.seconds });
  rows.push(row('broker, read from', broker.pid));
  client.close();
  printTable(`memory, ${build.name} start`, ['', 'RSS MB', 'CPU ms/s'], rows);
}

export const memory: Part = {
  name: 'memory',
  async run(options) {
    for (const build of options.builds) await withScope(options.dir, (scope) => measure(scope, options, build));
  },
};
