// The metadata of a big cluster in memory: how much of the heap it takes, how long it takes to make it from a snapshot, and what one
// more change costs as it grows.
import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { BenchOptions } from '../harness/options.ts';
import type { Scope } from '../harness/scope.ts';
import { withScope } from '../harness/scope.ts';
import { digits } from '../harness/statistics.ts';
import { printTable } from '../harness/table.ts';
import type { HolderOptions, ImageCosts } from '../processes/image-holder.ts';
import type { Part } from './part.ts';

const HOLDER = join(import.meta.dirname, '../processes/image-holder.ts');
const SIZES = [1000, 10_000, 100_000];

/** For the largest size. */
const MAX_HEAP_MB = 60;
const MAX_LOAD_MS = 2000;

function measure(scope: Scope, { repetitions }: BenchOptions): Promise<ImageCosts[]> {
  const options: HolderOptions = { sizes: SIZES, rounds: repetitions === 1 ? 1 : 5 };
  const costs: ImageCosts[] = [];
  return new Promise((resolve, reject) => {
    const execArgv = ['--import', 'tsx', '--expose-gc'];
    const child = fork(HOLDER, [JSON.stringify(options)], { execArgv });
    scope.adopt(child);
    child.on('message', (message: ImageCosts) => {
      costs.push(message);
      if (costs.length === SIZES.length) resolve(costs);
    });
    child.once('exit', (code) => reject(new Error(`it ended with ${code}`)));
  });
}

export const metadata: Part = {
  name: 'metadata',
  async run(options) {
    const costs = await withScope(options.dir, (scope) => measure(scope, options));
    const [first, last] = [costs[0], costs.at(-1)];
    if (first === undefined || last === undefined) throw new Error('nothing was measured');
    const row = (name: string, of: (cost: ImageCosts) => number, target = Number.NaN): string[] => {
      const growth = of(last) / of(first);
      return [
        name,
        ...costs.map((cost) => digits(of(cost))),
        digits(growth),
        digits(target),
        digits(of(last) / target),
      ];
    };
    printTable(
      'metadata image, partitions of 3 replicas, 10 a topic',
      ['partitions', ...SIZES.map(String), 'last to first', 'target', 'of target'],
      [
        row('heap, replayed, MB', ({ replayedMb }) => replayedMb, MAX_HEAP_MB),
        row('heap, from a snapshot, MB', ({ loadedMb }) => loadedMb, MAX_HEAP_MB),
        row('made from a snapshot, ms', ({ loadMs }) => loadMs, MAX_LOAD_MS),
        row('records of a snapshot made, ms', ({ snapshotMs }) => snapshotMs),
        row('size of a snapshot, MB', ({ snapshotMb }) => snapshotMb),
        row('all created, µs per partition', ({ replayUs }) => replayUs),
        row('one partition changes, µs', ({ changeUs }) => changeUs),
        row('  of 1000 in a batch, µs', ({ batchedChangeUs }) => batchedChangeUs),
        row('one topic of 10 is created, µs', ({ createUs }) => createUs),
      ],
    );
  },
};
