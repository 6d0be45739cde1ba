// Time to ready: from the start of the process to the line that says that every partition is served, beside a node process that
// does nothing.

import { startDev } from '../harness/kvorum.ts';
import type { Build } from '../harness/options.ts';
import { startNodeProcess } from '../harness/process.ts';
import { endProcess, withScope } from '../harness/scope.ts';
import { digits, median } from '../harness/statistics.ts';
import { printTable } from '../harness/table.ts';
import type { Part } from './part.ts';

const ROUNDS = 5;

/** Milliseconds of one start. */
type Start = (dir: string) => Promise<number>;

function idleNode(dir: string): Promise<number> {
  return withScope(dir, async (scope) => {
    const before = performance.now();
    const { child } = startNodeProcess(scope, ['-e', '0']);
    await new Promise((resolve) => child.once('exit', resolve));
    return performance.now() - before;
  });
}

function freshCluster(build: Build, nodes: number): Start {
  return (dir) =>
    withScope(dir, async (scope) => {
      const before = performance.now();
      await startDev(scope, build, { controllers: nodes, brokers: nodes });
      return performance.now() - before;
    });
}

/** Starts on what an earlier process left: stopped in good order, or killed. */
function restart(build: Build, nodes: number, signal: 'SIGTERM' | 'SIGKILL'): Start {
  return (dir) =>
    withScope(dir, async (scope) => {
      const options = { controllers: nodes, brokers: nodes, dataDir: scope.folder() };
      const { child } = (await startDev(scope, build, options)).process;
      if (signal === 'SIGKILL') child.kill(signal);
      await endProcess(child);
      const before = performance.now();
      await startDev(scope, build, options);
      return performance.now() - before;
    });
}

export const start: Part = {
  name: 'start',
  async run(options) {
    const rows = new Map<string, Start>([['node -e 0', idleNode]]);
    for (const build of options.builds) {
      rows.set(`${build.name} dev, 1 controller + 1 broker`, freshCluster(build, 1));
      rows.set(`${build.name} dev, 3 controllers + 3 brokers`, freshCluster(build, 3));
      rows.set('  again on its data, after SIGTERM', restart(build, 3, 'SIGTERM'));
      rows.set('  again on its data, after SIGKILL', restart(build, 3, 'SIGKILL'));
    }
    const times = new Map([...rows.keys()].map((name) => [name, [] as number[]]));
    for (let i = 0; i < (options.repetitions === 1 ? 1 : ROUNDS); i++) {
      for (const [name, measure] of rows) times.get(name)?.push(await measure(options.dir));
    }
    const idle = median(times.get('node -e 0') ?? []);
    printTable(
      'start, process start to ready',
      ['', 'ms', 'of node'],
      [...times].map(([name, ms]) => [name, digits(median(ms)), digits(median(ms) / idle)]),
    );
  },
};
