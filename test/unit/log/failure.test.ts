import { expect, test } from 'vitest';
import type { EnvError } from '../../../src/env/error.ts';
import type { LogConfig } from '../../../src/log/log-state.ts';
import { PartitionLog } from '../../../src/log/partition-log.ts';
import { BatchHeader, setBaseOffset, setPartitionLeaderEpoch } from '../../../src/record/batch.ts';
import { SimWorld } from '../../prop/log/sim-world.ts';
import { CountingDisk } from './counting-disk.ts';
import { batch, CONFIG, deps, tempFolder } from './fixture.ts';

const FOLDER = '/data/t-0';

/** Every append is a write. */
const ASYNC: LogConfig = { ...CONFIG, flushMode: 'async' };

async function opened(config = CONFIG): Promise<{ world: SimWorld; log: PartitionLog; failures: EnvError[] }> {
  const world = new SimWorld(1);
  // Which LogDirectory makes durable.
  world.simDisk.provision(FOLDER);
  const failures: EnvError[] = [];
  const simulated = { ...world.deps(), logFailed: (_: string, error: EnvError) => void failures.push(error) };
  const opening = PartitionLog.open(simulated, FOLDER, config, { cleanShutdown: false, recoveryPoint: 0 });
  return { world, log: await world.finish(opening), failures };
}

test('R-14.1, B62 a short write fences the log; what was there is flushed and read, the torn tail is cut', async () => {
  const { world, log, failures } = await opened(ASYNC);
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

test('R-14.1 of a follower’s write that fails nothing is in the log or its tail; what went into the segment before is', async () => {
  const { world, log } = await opened(ASYNC);
  const one = batch({ bytes: 300 });
  const fetched = Buffer.concat(
    [0, 1, 2, 3, 4, 5].map((offset) => {
      const bytes = Buffer.from(one);
      setBaseOffset(bytes, offset);
      setPartitionLeaderEpoch(bytes, 0);
      return bytes;
    }),
  );
  log.updateConfig({ ...ASYNC, segmentBytes: one.length * 2 });
  // Room for two segments, and one batch and a half of the third.
  world.simDisk.settings.capacityBytes = world.simDisk.usedBytes + one.length * 5.5;
  expect(() => log.appendAsFollower(fetched)).toThrow(expect.objectContaining({ code: 'NO_SPACE' }));
  expect([log.logEndOffset, log.failure?.code]).toEqual([4, 'NO_SPACE']);
  world.simDisk.settings.capacityBytes = Number.POSITIVE_INFINITY;
  expect(() => log.appendAsFollower(fetched.subarray(one.length * 4))).toThrow(
    expect.objectContaining({ code: 'NO_SPACE' }),
  );
  for (const offset of [0, 2, 3]) {
    const bytes = await world.finish(log.read(offset, one.length, 10, true));
    expect(new BatchHeader(bytes).baseOffset).toBe(offset);
  }
  expect(await world.finish(log.read(4, 1000, 10, true))).toHaveLength(0);
  await world.finish(log.flush());
  expect(log.flushedEndOffset).toBe(4);
  expect(world.simDisk.contentOf(`${FOLDER}/00000000000000000004.log`)).toHaveLength(0);
  // What a crash finds is what was flushed.
  world.crash('power-cut');
  const recovery = { cleanShutdown: false, recoveryPoint: 4 };
  const again = await world.finish(PartitionLog.open(world.deps(), FOLDER, CONFIG, recovery));
  expect(again.logEndOffset).toBe(4);
});
