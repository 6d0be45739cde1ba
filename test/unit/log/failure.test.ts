import { expect, test } from 'vitest';
import type { EnvError } from '../../../src/env/error.ts';
import { PartitionLog } from '../../../src/log/partition-log.ts';
import { SimWorld } from '../../prop/log/sim-world.ts';
import { CountingDisk } from './counting-disk.ts';
import { batch, CONFIG, deps, tempFolder } from './fixture.ts';

const FOLDER = '/data/t-0';

async function opened(): Promise<{ world: SimWorld; log: PartitionLog; failures: EnvError[] }> {
  const world = new SimWorld(1);
  const failures: EnvError[] = [];
  const simulated = { ...world.deps(), logFailed: (_: string, error: EnvError) => void failures.push(error) };
  const opening = PartitionLog.open(simulated, FOLDER, CONFIG, { cleanShutdown: false, recoveryPoint: 0 });
  return { world, log: await world.finish(opening), failures };
}

test('R-14.1, B62 a short write fences the log; what was there is flushed and read, the torn tail is cut', async () => {
  const { world, log, failures } = await opened();
  const good = batch({ bytes: 300 });
  log.append(good, 0);
  world.simDisk.settings.capacityBytes = world.simDisk.usedBytes + 200;
  expect(() => log.append(batch({ bytes: 300 }), 0)).toThrow(expect.objectContaining({ code: 'NO_SPACE' }));
  expect([log.logEndOffset, log.failure?.code, failures.length]).toEqual([1, 'NO_SPACE', 1]);
  world.simDisk.settings.capacityBytes = Number.POSITIVE_INFINITY;
  expect(() => log.append(batch(), 0)).toThrow(expect.objectContaining({ code: 'NO_SPACE' }));
  await world.finish(log.flush());
  expect(log.flushedEndOffset).toBe(1);
  expect(world.simDisk.contentOf(`${FOLDER}/00000000000000000000.log`).length).toBe(good.length);
  expect((await world.finish(log.read(0, 1000, 1, true))).length).toBe(good.length);
  await expect(world.finish(log.close())).rejects.toMatchObject({ code: 'NO_SPACE' });
  expect(failures).toHaveLength(1);
});

test('R-14.2 after a failed sync no flush ever succeeds, whoever waits', async () => {
  const { world, log, failures } = await opened();
  log.append(batch(), 0);
  await world.finish(log.flush());
  log.append(batch(), 0);
  world.simDisk.failNext('sync', '.log');
  const first = log.flush();
  const second = log.flush();
  await expect(world.finish(first)).rejects.toMatchObject({ code: 'IO' });
  await expect(world.finish(second)).rejects.toMatchObject({ code: 'IO' });
  await expect(world.finish(log.flush())).rejects.toMatchObject({ code: 'IO' });
  expect(() => log.append(batch(), 0)).toThrow(expect.objectContaining({ code: 'IO' }));
  expect([log.flushedEndOffset, log.logEndOffset, failures.length]).toEqual([1, 2, 1]);
});

test('what is appended before a sync starts shares it, and what is appended while it runs the next one', async () => {
  const counting = new CountingDisk();
  const clean = { cleanShutdown: true, recoveryPoint: 0 };
  const log = await PartitionLog.open({ ...deps(), disk: counting.disk }, await tempFolder(), CONFIG, clean);
  const before = counting.syncs;
  const writers = Array.from({ length: 64 }, async (_, i) => {
    // One after the other, as their connections are read.
    for (let j = 0; j < i; j++) await Promise.resolve();
    log.append(batch(), 0);
    await log.flush();
    expect(log.flushedEndOffset).toBeGreaterThan(i);
  });
  await Promise.all(writers);
  // The epoch checkpoint, and all records.
  expect(counting.syncs - before).toBe(2);
  log.append(batch(), 0);
  const first = log.flush();
  await new Promise((resolve) => setImmediate(resolve));
  log.append(batch(), 0);
  const second = log.flush();
  await first;
  await second;
  expect([log.flushedEndOffset, counting.syncs - before]).toEqual([66, 4]);
  await log.close();
});
