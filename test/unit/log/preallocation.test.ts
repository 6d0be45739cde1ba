import { expect, test } from 'vitest';
import { IndexMemory } from '../../../src/log/index-memory.ts';
import type { LogConfig, LogDeps } from '../../../src/log/log-state.ts';
import { PartitionLog } from '../../../src/log/partition-log.ts';
import { BatchHeader } from '../../../src/record/batch.ts';
import { macrotaskTurn } from '../../../src/sim/world/turn.ts';
import { SimWorld } from '../../prop/log/sim-world.ts';
import { batch, CONFIG, deps, tempFolder } from './fixture.ts';

const CLEAN = { cleanShutdown: true, recoveryPoint: 0 };
const AHEAD: LogConfig = { ...CONFIG, preallocate: true, segmentBytes: 1 << 20 };
const ONE = batch({ bytes: 200 });

async function opened(config = AHEAD, all: LogDeps = deps()): Promise<PartitionLog> {
  return PartitionLog.open(all, await tempFolder(), config, CLEAN);
}

async function sizeOf(log: PartitionLog, base = 0): Promise<number> {
  return (await deps().disk.readFile(`${log.directory}/${String(base).padStart(20, '0')}.log`)).length;
}

async function write(log: PartitionLog, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    log.append(Buffer.from(ONE), 0);
    await log.flush();
  }
}

test('small flushes find room made ahead of them, which nobody sees, and which is gone after a close', async () => {
  const log = await opened();
  await write(log, 3);
  const size = await sizeOf(log);
  expect(size).toBeGreaterThan(100_000);
  await write(log, 20);
  expect(await sizeOf(log)).toBe(size);
  const all = await log.read(0, 1 << 20, 23, true);
  expect(all).toHaveLength(23 * ONE.length);
  expect((await log.offsetOfMaxTimestamp(23))?.offset).toBe(0);
  await log.close();
  expect(await sizeOf(log)).toBe(23 * ONE.length);
  const again = await PartitionLog.open(deps(), log.directory, AHEAD, { cleanShutdown: true, recoveryPoint: 23 });
  expect(again.logEndOffset).toBe(23);
  await write(again, 1);
  expect(new BatchHeader(await again.read(23, 1, 24, true)).baseOffset).toBe(23);
  await again.close();
});

test('no room is made without preallocate, nor where flushes are large', async () => {
  const without = await opened({ ...AHEAD, preallocate: false });
  await write(without, 5);
  expect(await sizeOf(without)).toBe(5 * ONE.length);
  await without.close();
  const large = await opened();
  const batches = Array.from({ length: 5 }, () => batch({ bytes: 60_000 }));
  for (const bytes of batches) {
    large.append(bytes, 0);
    await large.flush();
  }
  expect(await sizeOf(large)).toBe(batches.reduce((sum, { length }) => sum + length, 0));
  await large.close();
});

test('a sealed segment and a cut one have no room, and none is made beyond segment.bytes', async () => {
  const log = await opened({ ...AHEAD, segmentBytes: 4000 });
  await write(log, 5);
  expect(await sizeOf(log)).toBe(4000);
  await write(log, 15);
  const bases = (await deps().disk.list(log.directory)).map(({ name }) => name).filter((name) => name.endsWith('.log'));
  const [first, second] = bases.map((name) => Number.parseInt(name, 10));
  expect([first, second]).toEqual([0, Math.floor(4000 / ONE.length)]);
  await log.flush();
  expect(await sizeOf(log)).toBe((second ?? 0) * ONE.length);
  await log.truncateTo(16);
  expect(await sizeOf(log, second)).toBe((16 - (second ?? 0)) * ONE.length);
  await write(log, 1);
  expect(log.logEndOffset).toBe(17);
  await log.close();
});

test('D-10.3 after a crash the room is no loss', async () => {
  const events: string[] = [];
  const log = await opened(AHEAD, deps(events));
  await write(log, 4);
  await log.discard();
  const again = await PartitionLog.open(deps(events), log.directory, AHEAD, { cleanShutdown: false, recoveryPoint: 0 });
  expect(again.logEndOffset).toBe(4);
  expect(await sizeOf(log)).toBe(4 * ONE.length);
  expect(events).not.toContain('log-recovered-with-cut');
  await again.close();
});

test('what is appended while the room is cut off, whenever the log says that it can be, is not cut', async () => {
  const world = new SimWorld(1);
  const log = await world.finish(PartitionLog.open(world.deps(), '/data/t-0', AHEAD, CLEAN));
  const appended: Buffer[] = [];
  const append = (): void => {
    const bytes = Buffer.from(ONE);
    log.append(bytes, 0);
    appended.push(bytes);
  };
  for (let i = 0; i < 3; i++) {
    append();
    await world.finish(log.flush());
  }
  let waits = 0;
  let isClosed = false;
  const closing = log.close().finally(() => {
    isClosed = true;
  });
  while (!isClosed) {
    await macrotaskTurn();
    if (log.isWarm) append();
    else waits += 1;
    await world.pump(1);
  }
  await closing;
  expect(waits).toBeGreaterThan(0);
  expect(appended.length).toBeGreaterThan(3);
  const content = world.simDisk.contentOf('/data/t-0/00000000000000000000.log');
  expect(Buffer.concat(appended).equals(content)).toBe(true);
});

test('indexes that are wanted back while the room is cut off are written first', async () => {
  const world = new SimWorld(1);
  const all = world.deps();
  const indexes = new IndexMemory(1);
  const open = (): Promise<PartitionLog> =>
    PartitionLog.open({ ...all, shared: { ...all.shared, indexes } }, '/data/t-0', AHEAD, CLEAN);
  const log = await world.finish(open());
  for (let i = 0; i < 3; i++) {
    log.append(Buffer.from(ONE), 0);
    await world.finish(log.flush());
  }
  let isClosed = false;
  const closing = log.close().finally(() => {
    isClosed = true;
  });
  while (!isClosed) {
    indexes.used({ indexBytes: 1, giveBackIndexes: () => {} });
    await world.pump(1);
  }
  await closing;
  expect(log.summary('t')).toMatchObject({ logEndOffset: 3, snapshots: [3] });
});

test('R-14.1 zeros that do not fit on the disk harm nobody', async () => {
  const world = new SimWorld(1);
  const log = await world.finish(PartitionLog.open(world.deps(), '/data/t-0', AHEAD, CLEAN));
  world.simDisk.settings.capacityBytes = world.simDisk.usedBytes + 5000;
  for (let i = 0; i < 3; i++) {
    log.append(Buffer.from(ONE), 0);
    await world.finish(log.flush());
  }
  expect([log.failure, log.flushedEndOffset]).toEqual([undefined, 3]);
  world.simDisk.settings.capacityBytes = Number.POSITIVE_INFINITY;
  await world.finish(log.close());
  expect(world.simDisk.contentOf('/data/t-0/00000000000000000000.log').length).toBe(3 * ONE.length);
});
