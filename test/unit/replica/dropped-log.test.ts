// A replica that drops its log and begins anew while its broker lives: what its leader knew of the old one counts for nothing.
import { expect, test } from 'vitest';
import { LOST_DIRECTORY } from '../../../src/base/uuid.ts';
import { sleep } from '../../../src/env/clock.ts';
import { uuid } from '../metadata/fixture.ts';
import { SELF } from './bench.ts';
import { withFollowers } from './follower-bench.ts';
import { leading } from './leader-bench.ts';

test('a follower whose log is said to be lost is in sync again by what it fetches from then on (D-4.1, D-10.2, D-12)', async () => {
  await leading(async ({ partition, append, asked, fetch, state, replicas }) => {
    append(3);
    for (const id of [2, 3]) expect(fetch(id, 3)).toBeUndefined();
    const [here, lost] = [uuid(71), LOST_DIRECTORY];
    await state({ isr: [SELF, 3], directories: [here, lost, here], partitionEpoch: 1 });
    await state({ isr: [SELF, 3], directories: [here, here, here], partitionEpoch: 2 });
    await sleep(replicas.env.clock, 5000);
    partition.reconsider();
    expect(asked.map(({ isr }) => isr)).toEqual([]);
    expect(fetch(2, 0)).toBeUndefined();
    expect(asked.map(({ isr }) => isr)).toEqual([]);
    expect(fetch(2, 3)).toBeUndefined();
    expect(asked.map(({ isr }) => isr)).toEqual([[SELF, 3, 2]]);
  });
});

test('a log that begins anew inside a batch of the leader takes the batch as a whole (KAFKA-6975)', async () => {
  for (const flushMode of ['sync', 'async'] as const) {
    await withFollowers(
      async (bench) => {
        const [a, b] = [bench.replica(1), bench.replica(2)];
        await bench.elect(1, 0, [1], [1]);
        await a.append(1);
        await a.appendBatchOf(4);
        await a.append(1);
        await bench.until(() => a.partition.highWatermark === 6);
        await a.log.advanceLogStart(3);
        await bench.elect(1, 1, undefined, [1]);
        await b.catchUp();
        await bench.until(() => b.log.logStartOffset === 3);
        expect(b.offsets).toEqual([3, 6, 6]);
        expect(await b.bytes()).toEqual(await a.bytes());
        expect(bench.told('fetch-refused')).toEqual([]);
        // It had nothing: the ledger hears of no loss.
        expect(b.reported).toEqual([]);
      },
      { flushMode },
    );
  }
});
