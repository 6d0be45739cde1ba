// What a snapshot of a big image costs the event loop of a controller: taking one, and starting from it.
import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { Scope } from '../harness/scope.ts';
import { withScope } from '../harness/scope.ts';
import { digits } from '../harness/statistics.ts';
import { printTable } from '../harness/table.ts';
import type { SnapshotOptions, SnapshotReport, Stretch } from '../processes/snapshot-taker.ts';
import type { Part } from './part.ts';

const TAKER = join(import.meta.dirname, '../processes/snapshot-taker.ts');
const PARTITIONS = 100_000;

function measure(scope: Scope): Promise<SnapshotReport> {
  const options: SnapshotOptions = { directory: scope.folder(), partitions: PARTITIONS };
  return new Promise((resolve, reject) => {
    const child = fork(TAKER, [JSON.stringify(options)], { execArgv: ['--import', 'tsx'] });
    scope.adopt(child);
    child.once('message', (report: SnapshotReport) => resolve(report));
    child.once('exit', (code) => reject(new Error(`it ended with ${code}`)));
  });
}

function row(name: string, { tookMs, pauseMs, p99Ms, cpuMs }: Stretch): string[] {
  return [name, digits(tookMs), digits(pauseMs), digits(cpuMs), digits(p99Ms)];
}

export const snapshot: Part = {
  name: 'snapshot',
  async run(options) {
    const report = await withScope(options.dir, measure);
    printTable(
      `snapshot, ${PARTITIONS} partitions, ${digits(report.sizeBytes / 1e6)} MB`,
      ['', 'took ms', 'longest pause ms', 'of it CPU ms', 'p99 ms'],
      [row('doing nothing', report.idle), row('take a snapshot', report.take), row('start from it', report.start)],
    );
    console.log(`  resident afterwards: ${digits(report.residentMb)} MB`);
  },
};
