import { expect, test } from 'vitest';
import type { EnvError } from '../../../src/env/error.ts';
import { PartitionLog } from '../../../src/log/partition-log.ts';
import { SimWorld } from '../../prop/log/sim-world.ts';
import { batch, CONFIG } from './fixture.ts';

const FOLDER = '/data/t-0';

async function opened(): Promise<{ world: SimWorld; log: PartitionLog; failures: EnvError[] }> {
  const world = new SimWorld(1);
  const failures: EnvError[] = [];
  const deps = { ...world.deps(), logFailed: (_: string, error: EnvError) => void failures.push(error) };
  const opening = PartitionLog.open(deps, FOLDER, CONFIG, { cleanShutdown: false, recoveryPoint: 0 });
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
