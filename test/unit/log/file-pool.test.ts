import { expect, test } from 'vitest';
import type { EnvError } from '../../../src/env/error.ts';
import type { FileOwner } from '../../../src/log/file-pool.ts';
import { FilePool, PooledFile } from '../../../src/log/file-pool.ts';
import { PartitionLog } from '../../../src/log/partition-log.ts';
import { DATA, SimWorld } from '../../prop/log/sim-world.ts';
import { batch, CONFIG } from './fixture.ts';

interface Files {
  readonly world: SimWorld;
  readonly pool: FilePool;
  readonly failures: EnvError[];
  readonly create: (name: string) => PooledFile;
}

function files(maxOpen: number): Files {
  const world = new SimWorld(1);
  const { disk } = world.deps();
  const pool = new FilePool(maxOpen);
  const failures: EnvError[] = [];
  const owner: FileOwner = { disk, files: pool, syncFailed: (error) => void failures.push(error) };
  return { world, pool, failures, create: (name) => PooledFile.create(owner, `${DATA}/${name}`) };
}

function write(file: PooledFile, text: string, position = 0): void {
  expect(file.write([Buffer.from(text)], position)).toBe(text.length);
}

async function read(world: SimWorld, file: PooledFile): Promise<string> {
  const target = Buffer.alloc(20);
  const count = await world.finish(file.read(target, 0, 20, 0));
  return target.toString('utf8', 0, count);
}

const NAMES = ['a', 'b', 'c', 'd', 'e'];

test('as many as allowed are open, those used last; users of the others notice nothing', async () => {
  const { world, pool, create } = files(2);
  const all = NAMES.map(create);
  for (const [i, file] of all.entries()) write(file, `file ${i}`);
  await world.pump(100);
  expect([pool.openCount, all.map(({ isOpen }) => isOpen)]).toEqual([2, [false, false, false, true, true]]);
  for (const file of all) await world.finish(file.sync());
  for (const [i, file] of all.entries()) {
    expect(await read(world, file)).toBe(`file ${i}`);
    expect(pool.openCount).toBeLessThanOrEqual(2);
  }
  write(all[0] as PooledFile, 'again');
  expect(all.map(({ isOpen }) => isOpen)).toEqual([true, false, false, false, true]);
  await world.finish(Promise.all(all.map((file) => file.close())));
  expect(pool.openCount).toBe(0);
  expect(() => write(all[0] as PooledFile, 'x')).toThrow(expect.objectContaining({ code: 'CLOSED' }));
});

test('what was not synced is synced before the descriptor goes', async () => {
  const { world, create } = files(1);
  const [first, second] = [create('a'), create('b')];
  await world.finish(world.deps().disk.syncDirectory(DATA));
  write(first, 'unsynced');
  write(second, 'x');
  await world.pump(100);
  expect([first.isOpen, first.isDirty]).toEqual([false, false]);
  world.crash('power-cut');
  expect(world.simDisk.contentOf(`${DATA}/a`).toString()).toBe('unsynced');
});

test('one that is written to while it is synced to be closed stays open, another goes', async () => {
  const { world, pool, create } = files(2);
  const [first, second, third] = [create('a'), create('b'), create('c')];
  write(first, 'one');
  // Both are being synced now, as far as there are too many.
  write(second, 'two');
  write(third, 'three');
  write(first, 'more', 3);
  await world.pump(100);
  expect([pool.openCount, first.isOpen]).toEqual([2, true]);
  await world.finish(first.sync());
  expect(await read(world, first)).toBe('onemore');
  expect(await read(world, second)).toBe('two');
});

test('R-14.2 a failed sync of one that is to be closed is told, and every later sync and write fails likewise', async () => {
  const { world, failures, create } = files(1);
  const first = create('a');
  write(first, 'lost');
  world.simDisk.failNext('sync', '/a');
  write(create('b'), 'x');
  await world.pump(100);
  expect(failures.map(({ code }) => code)).toEqual(['IO']);
  await expect(world.finish(first.sync())).rejects.toMatchObject({ code: 'IO' });
  expect(() => write(first, 'x')).toThrow(expect.objectContaining({ code: 'IO' }));
  expect(await read(world, first)).toBe('lost');
});

test('R-14.2 of two syncs at once neither may hide the failure of the other', async () => {
  const { world, failures, create } = files(1);
  const first = create('a');
  write(first, 'lost');
  world.simDisk.failNext('sync', '/a');
  write(create('b'), 'x');
  // The sync of the one that is to be closed is under way; this one would succeed by itself.
  await expect(world.finish(first.sync())).rejects.toMatchObject({ code: 'IO' });
  expect([first.isDirty, failures.length]).toEqual([true, 1]);
});

test('a file that vanished is not made anew', async () => {
  const { world, create } = files(1);
  const first = create('a');
  write(first, 'x');
  await world.finish(first.sync());
  const second = create('b');
  await world.finish(world.deps().disk.remove(`${DATA}/a`));
  expect(() => write(first, 'y')).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
  write(second, 'z');
  expect(world.simDisk.tree.find(`${DATA}/a`)).toBeUndefined();
});

test('who waits for room gets it when a descriptor is free', async () => {
  const { world, pool, create } = files(1);
  write(create('a'), 'x');
  write(create('b'), 'x');
  expect([pool.hasRoom, pool.openCount]).toEqual([false, 2]);
  await world.finish(pool.room ?? Promise.reject(new Error('there is room')));
  expect([pool.hasRoom, pool.room]).toEqual([true, undefined]);
});

test('R-14.2 a log whose file could not be synced when it was to be closed takes nothing more and acknowledges nothing', async () => {
  const world = new SimWorld(1, { 'log.max.open.files': 1 });
  const failed: string[] = [];
  const deps = { ...world.deps(), logFailed: (directory: string) => void failed.push(directory) };
  const open = (name: string) =>
    world.finish(PartitionLog.open(deps, `${DATA}/${name}`, CONFIG, { cleanShutdown: false, recoveryPoint: 0 }));
  const [first, second] = [await open('t-0'), await open('t-1')];
  first.append(batch(), 0);
  world.simDisk.failNext('sync', '/t-0/00000000000000000000.log');
  second.append(batch(), 0);
  await world.pump(100);
  expect([failed, first.failure?.code, second.failure]).toEqual([[`${DATA}/t-0`], 'IO', undefined]);
  await expect(world.finish(first.flush())).rejects.toMatchObject({ code: 'IO' });
  expect(() => first.append(batch(), 0)).toThrow(expect.objectContaining({ code: 'IO' }));
  await world.finish(second.flush());
  expect([first.flushedEndOffset, second.flushedEndOffset]).toEqual([0, 1]);
  await world.finish(second.close());
});
