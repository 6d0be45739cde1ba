// Ten thousand partitions in one broker: how long it takes to make them, and to open them after a clean stop, what each takes in memory,
// and how many files are open, also after one append to each.
import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { Scope } from '../harness/scope.ts';
import { withScope } from '../harness/scope.ts';
import { digits } from '../harness/statistics.ts';
import { printTable } from '../harness/table.ts';
import type { OpenerCosts, OpenerOptions } from '../processes/log-opener.ts';
import type { Part } from './part.ts';

const OPENER = join(import.meta.dirname, '../processes/log-opener.ts');
const PARTITIONS = 10_000;

const MAX_OPEN_SECONDS = 3;
const MAX_HEAP_KB = 10;
const MAX_DESCRIPTORS = 1000;

/** One life of the logs in that folder. */
function live(scope: Scope, options: OpenerOptions): Promise<OpenerCosts> {
  return new Promise((resolve, reject) => {
    const child = fork(OPENER, [JSON.stringify(options)], { execArgv: ['--import', 'tsx', '--expose-gc'] });
    scope.adopt(child);
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`it ended with ${code}`)));
  });
}

async function lives(scope: Scope): Promise<OpenerCosts[]> {
  const folder = scope.folder();
  const made = await live(scope, { folder, partitions: PARTITIONS, life: 0, append: true });
  const opened = await live(scope, { folder, partitions: PARTITIONS, life: 1, append: false });
  const appended = await live(scope, { folder, partitions: PARTITIONS, life: 2, append: true });
  return [made, opened, appended];
}

export const logOpen: Part = {
  name: 'log-open',
  async run(options) {
    const costs = await withScope(options.dir, lives);
    const row = (name: string, of: (cost: OpenerCosts) => number, target = Number.NaN): string[] => [
      name,
      ...costs.map((cost) => digits(of(cost))),
      digits(target),
    ];
    printTable(
      `${PARTITIONS} partitions in one broker`,
      ['', 'made', 'opened', 'and appended to', 'target'],
      [
        row('until all are there, s', ({ openSeconds }) => openSeconds, MAX_OPEN_SECONDS),
        row('as many files opened and read, s', ({ rawSeconds }) => rawSeconds),
        row('until all lead, s', ({ leadSeconds }) => leadSeconds),
        row('one append to each, s', ({ appendSeconds }) => appendSeconds),
        row('clean stop, s', ({ closeSeconds }) => closeSeconds),
        row('heap of each, KB', ({ openBytes }) => openBytes / 1000, MAX_HEAP_KB),
        row('heap of each at the end, KB', ({ appendedBytes }) => appendedBytes / 1000, MAX_HEAP_KB),
        row('descriptors', ({ openDescriptors }) => openDescriptors, MAX_DESCRIPTORS),
        row('descriptors at the end', ({ appendedDescriptors }) => appendedDescriptors, MAX_DESCRIPTORS),
      ],
    );
  },
};
