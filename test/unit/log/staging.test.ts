import { describe, expect, test } from 'vitest';
import type { Disk } from '../../../src/env/disk.ts';
import type { EnvError } from '../../../src/env/error.ts';
import { FilePool, PooledFile } from '../../../src/log/file-pool.ts';
import { createLogShared } from '../../../src/log/log-shared.ts';
import type { LogConfig } from '../../../src/log/log-state.ts';
import { PartitionLog } from '../../../src/log/partition-log.ts';
import { DATA, SimWorld } from '../../prop/log/sim-world.ts';
import { CountingDisk } from './counting-disk.ts';
import { batch, CONFIG, deps, NODE_VALUES, tempFolder } from './fixture.ts';

const FOLDER = '/data/t-0';
const FILE = `${FOLDER}/00000000000000000000.log`;
const ONE = batch({ bytes: 300 });
const IO = { code: 'IO' };
const NO_SPACE = { code: 'NO_SPACE' };

async function counted(config: Partial<LogConfig> = {}, tailBytes = 1 << 20) {
  const counting = new CountingDisk();
  const shared = createLogShared({ ...NODE_VALUES, 'log.tail.cache.bytes': tailBytes });
  const all = { ...deps(), disk: counting.disk, shared };
  const known = { cleanShutdown: true, recoveryPoint: 0 };
  const log = await PartitionLog.open(all, await tempFolder(), { ...CONFIG, ...config }, known);
  // With it goes the epoch checkpoint.
  log.append(Buffer.from(ONE), 0);
  await log.flush();
  return { log, counting, before: { writes: counting.writes, syncs: counting.syncs } };
}

/** A log with one record that is durable. */
async function simulated(config: Partial<LogConfig> = {}) {
  const world = new SimWorld(1, { 'log.tail.cache.bytes': 0 });
  // Which LogDirectory makes durable.
  world.simDisk.provision(FOLDER);
  const failures: EnvError[] = [];
  const all = { ...world.deps(), logFailed: (_: string, error: EnvError) => void failures.push(error) };
  const known = { cleanShutdown: false, recoveryPoint: 0 };
  const log = await world.finish(PartitionLog.open(all, FOLDER, { ...CONFIG, ...config }, known));
  append(log, 1);
  await world.finish(log.flush());
  const size = (): number => world.simDisk.contentOf(FILE).length;
  const again = (how: 'kill' | 'power-cut'): Promise<PartitionLog> => {
    world.crash(how);
    const recovery = { cleanShutdown: false, recoveryPoint: 1 };
    return world.finish(PartitionLog.open(world.deps(), FOLDER, CONFIG, recovery));
  };
  return { world, log, failures, size, again };
}

function append(log: PartitionLog, count: number): void {
  for (let i = 0; i < count; i++) log.append(Buffer.from(ONE), 0);
}

async function expectFenced(world: SimWorld, log: PartitionLog, failure: { readonly code: string }): Promise<void> {
  const matching = expect.objectContaining(failure) as EnvError;
  // The disk works again: that changes nothing.
  world.simDisk.settings.capacityBytes = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 2; i++) {
    expect(() => append(log, 1)).toThrow(matching);
    await expect(world.finish(log.flush())).rejects.toMatchObject(failure);
    await expect(world.finish(log.truncateTo(1))).rejects.toMatchObject(failure);
  }
  expect([log.flushedEndOffset, log.failure?.code]).toEqual([1, failure.code]);
}

test('64 appends that wait for one flush are one write and one sync, and all of them are in the file', async () => {
  const { log, counting, before } = await counted();
  append(log, 64);
  expect((await log.read(1, 1 << 20, 65, true)).length).toBe(64 * ONE.length);
  expect([counting.writes - before.writes, counting.preads]).toEqual([0, 0]);
  await log.flush();
  expect([counting.writes - before.writes, counting.syncs - before.syncs]).toEqual([1, 1]);
  expect(log.flushedEndOffset).toBe(65);
  const bytes = await deps().disk.readFile(`${log.directory}/00000000000000000000.log`);
  expect(bytes.equals(await log.read(0, 1 << 20, 65, true))).toBe(true);
  await log.close();
});

test('what is large, more than the memory for it, or acknowledged without a flush is written as it comes', async () => {
  const { log, counting, before } = await counted();
  append(log, 1);
  log.append(batch({ bytes: 20_000 }), 0);
  expect(counting.writes - before.writes).toBe(2);
  await log.flush();
  expect(counting.writes - before.writes).toBe(2);
  for (let i = 0; i < 40; i++) log.append(batch({ bytes: 10_000 }), 0);
  await log.flush();
  expect(counting.writes - before.writes).toBe(2 + Math.ceil(40 / Math.floor((128 * 1024) / (10_000 + 72))));
  log.updateConfig({ ...CONFIG, flushMode: 'async' });
  const { writes } = counting;
  append(log, 3);
  expect(counting.writes - writes).toBe(3);
  expect((await log.read(0, 1 << 20, 100, true)).length).toBeGreaterThan(400_000);
  await log.close();
});

test('who reads the file, or cuts it, finds what is not written yet', async () => {
  const { log, counting, before } = await counted({}, 0);
  append(log, 3);
  expect(counting.writes - before.writes).toBe(0);
  expect((await log.read(2, 1000, 4, true)).length).toBe(2 * ONE.length);
  expect(counting.writes - before.writes).toBe(1);
  append(log, 1);
  await log.truncateTo(4);
  append(log, 1);
  expect((await log.read(0, 1 << 20, 5, true)).length).toBe(5 * ONE.length);
  await log.close();
});

test('a kill loses what was not flushed, and only that', async () => {
  const { world, log, size, again } = await simulated();
  append(log, 2);
  await world.finish(log.flush());
  append(log, 2);
  expect(size()).toBe(3 * ONE.length);
  expect((await again('kill')).logEndOffset).toBe(3);
});

test('where nobody waits for a flush any more, everything appended is written first', async () => {
  const { log, size, again } = await simulated();
  append(log, 2);
  log.updateConfig({ ...CONFIG, flushMode: 'async' });
  append(log, 1);
  expect(size()).toBe(4 * ONE.length);
  expect((await again('kill')).logEndOffset).toBe(4);
});

test('a segment that is sealed has nothing left to be written', async () => {
  const { log, size, again } = await simulated({ segmentBytes: ONE.length * 3 });
  append(log, 3);
  expect(size()).toBe(3 * ONE.length);
  expect((await again('kill')).logEndOffset).toBe(3);
});

describe('R-14.1 appends that cannot be written', () => {
  test.each([false, true])('fence the log for good when they are flushed (preallocate: %s)', async (preallocate) => {
    const { world, log, failures, size, again } = await simulated({ preallocate });
    append(log, 2);
    world.simDisk.failNext('write', FILE);
    await expect(world.finish(log.flush())).rejects.toMatchObject(IO);
    await expectFenced(world, log, IO);
    expect([failures.length, size()]).toEqual([1, ONE.length]);
    // What is not there is no damage.
    await expect(world.finish(log.read(1, 1000, 3, true))).rejects.toMatchObject(IO);
    await expect(world.finish(log.close())).rejects.toMatchObject(IO);
    expect((await again('kill')).logEndOffset).toBe(1);
  });

  test('fence it as well when there was room for a part of them', async () => {
    const { world, log, failures, size, again } = await simulated();
    append(log, 3);
    world.simDisk.settings.capacityBytes = world.simDisk.usedBytes + ONE.length * 1.5;
    await expect(world.finish(log.flush())).rejects.toMatchObject(NO_SPACE);
    expect(size()).toBe(Math.floor(ONE.length * 2.5));
    await expectFenced(world, log, NO_SPACE);
    expect([failures.length, size()]).toEqual([1, Math.floor(ONE.length * 2.5)]);
    expect((await again('kill')).logEndOffset).toBe(2);
  });

  test('fence it whoever asks for them first: a reader, the roll, the next append, another flush mode', async () => {
    const asks: ((log: PartitionLog, world: SimWorld) => unknown)[] = [
      (log, world) => world.finish(log.read(1, 1000, 3, true)),
      (log) => log.append(batch({ bytes: (1 << 20) - 1000 }), 0),
      (log) => log.append(batch({ bytes: 20_000 }), 0),
      (log) => log.updateConfig({ ...CONFIG, flushMode: 'async' }),
    ];
    for (const ask of asks) {
      const { world, log, failures, again } = await simulated();
      append(log, 2);
      world.simDisk.failNext('write', FILE);
      const told = await new Promise((resolve) => resolve(ask(log, world))).catch((error: unknown) => error);
      expect(told).toMatchObject(IO);
      await expectFenced(world, log, IO);
      expect(failures).toHaveLength(1);
      expect((await again('kill')).logEndOffset).toBe(1);
    }
  });
});

describe('a file', () => {
  function files(maxOpen = 500) {
    const world = new SimWorld(1);
    const pool = new FilePool(maxOpen);
    const owner = { disk: world.deps().disk, files: pool, syncFailed: () => {} };
    const create = (name: string): PooledFile => PooledFile.create(owner, `${DATA}/${name}`);
    const content = (name: string): string => world.simDisk.contentOf(`${DATA}/${name}`).toString();
    return { world, owner, create, content };
  }

  test('has in it what was left to be written before anything else is done with it', async () => {
    const { world, create, content } = files();
    const file = create('a');
    const target = Buffer.alloc(4);
    const uses: (() => unknown)[] = [
      () => world.finish(file.read(target, 0, 4, 0)),
      () => file.write([Buffer.from('z')], 100),
      () => file.writeStaged(),
      () => file.writeLater(Buffer.from('b'), 50),
      () => world.finish(file.sync()),
      () => world.finish(file.sync(() => expect(content('a')).toContain('b'))),
      () => world.finish(file.truncate(4)),
      () => world.finish(file.close()),
    ];
    for (const [i, use] of uses.entries()) {
      const text = `st${i}`;
      file.writeLater(Buffer.from(text), 0);
      expect([content('a').startsWith(text), file.isDirty]).toEqual([false, true]);
      await use();
      expect(content('a').slice(0, 3)).toBe(text);
    }
    expect(target.toString('utf8', 0, 3)).toBe('st0');
  });

  test('lets who reads below what was left to be written read on', async () => {
    const { world, create, content } = files();
    const file = create('a');
    file.write([Buffer.from('there')], 0);
    file.writeLater(Buffer.from(' later'), 5);
    const target = Buffer.alloc(20);
    expect(await world.finish(file.read(target, 0, 5, 0))).toBe(5);
    expect(content('a')).toBe('there');
    expect(await world.finish(file.read(target, 0, 6, 0))).toBe(6);
    expect(await world.finish(file.read(target, 0, 20, 0))).toBe(11);
    expect(content('a')).toBe('there later');
  });

  test('that has to make room is written and synced first', async () => {
    const { world, create } = files(1);
    const [first, second] = [create('a'), create('b')];
    await world.finish(world.deps().disk.syncDirectory(DATA));
    first.writeLater(Buffer.from('staged'), 0);
    second.writeLater(Buffer.from('x'), 0);
    await world.pump(100);
    expect([first.isOpen, first.isDirty]).toEqual([false, false]);
    world.crash('power-cut');
    expect(world.simDisk.contentOf(`${DATA}/a`).toString()).toBe('staged');
  });

  test('that finds no memory is written at once; memory comes back with the write', async () => {
    const { world, create, content } = files();
    const all = Array.from({ length: 65 }, (_, i) => create(`f${i}`));
    for (const file of all) file.writeLater(Buffer.from('x'), 0);
    expect(all.map((_, i) => content(`f${i}`)).filter((text) => text !== '')).toHaveLength(1);
    expect(content('f64')).toBe('x');
    await world.finish((all[0] as PooledFile).sync());
    all[64]?.writeLater(Buffer.from('y'), 1);
    expect(content('f64')).toBe('x');
    await world.finish(Promise.all(all.map((file) => file.close())));
    expect(content('f64')).toBe('xy');
  });

  test('that failed gives its memory back when it is closed', async () => {
    const { world, create, content } = files(1);
    for (let i = 0; i < 65; i++) {
      const failed = create(`f${i}`);
      failed.write([Buffer.from('x')], 0);
      world.simDisk.failNext('sync', `/f${i}`);
      const syncing = world.finish(failed.sync());
      failed.writeLater(Buffer.from('y'), 1);
      await expect(syncing).rejects.toMatchObject(IO);
      create(`other${i}`);
      expect(failed.isOpen).toBe(false);
      await world.finish(failed.close());
    }
    create('last').writeLater(Buffer.from('z'), 0);
    expect(content('last')).toBe('');
  });

  test('B62 that takes only a part at once gets all of it', async () => {
    const { world, owner, content } = files();
    const disk: Disk = {
      ...owner.disk,
      openNow: (...args) => {
        const file = owner.disk.openNow(...args);
        const write = file.write.bind(file);
        file.write = ([chunk], position) => write([(chunk as Buffer).subarray(0, 3)], position);
        return file;
      },
    };
    const file = PooledFile.create({ ...owner, disk }, `${DATA}/a`);
    file.writeLater(Buffer.from('all of '), 0);
    file.writeLater(Buffer.from('it'), 7);
    await world.finish(file.sync());
    expect(content('a')).toBe('all of it');
  });
});
