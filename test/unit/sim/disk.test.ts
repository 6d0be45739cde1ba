// The simulated disk: what a kill keeps, what a power cut may lose, and the faults.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sleep } from '../../../src/env/clock.ts';
import type { Disk } from '../../../src/env/disk.ts';
import { writeFileDurably } from '../../../src/env/disk.ts';
import type { Env } from '../../../src/env/env.ts';
import { isEnvError } from '../../../src/env/error.ts';
import { PagedBytes } from '../../../src/sim/disk/paged-bytes.ts';
import type { SimProcess } from '../../../src/sim/process/process.ts';
import { World } from '../../../src/sim/world/world.ts';

const SECTOR = 512;
const SECTORS = 6;

/** Runs `main` on node1 until it returned, and leaves the process alive. */
async function withNode(seed: number, main: (env: Env, world: World, node: SimProcess) => Promise<void>) {
  const world = new World({ seed });
  const node = world.process('node1');
  node.disk.provision('/data');
  await world.run('node1', 60_000, (env) => main(env, world, node));
  return { world, node };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'fine';
  } catch (error) {
    return isEnvError(error) ? error.code : String(error);
  }
}

/** What a new life of the process finds in a folder; nothing where there is no folder. */
async function namesIn(world: World, node: SimProcess, path = '/data'): Promise<string[]> {
  let names: string[] | undefined;
  node.start(async ({ disk }) => {
    names = (await disk.exists(path)) ? (await disk.list(path)).map((entry) => entry.name) : [];
  });
  await world.runUntil(() => names !== undefined, 1000);
  return names ?? [];
}

async function create(disk: Disk, path: string, text: string): Promise<void> {
  const file = await disk.open(path, 'create');
  file.write([Buffer.from(text)], 0);
  await file.sync();
  await file.close();
}

describe('paged bytes', () => {
  it('hold what a plain buffer holds', () => {
    const operation = fc.oneof(
      fc.record({ at: fc.nat(40_000), bytes: fc.uint8Array({ minLength: 1, maxLength: 40_000 }) }),
      fc.record({ size: fc.nat(60_000) }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 12 }), (operations) => {
        const paged = new PagedBytes();
        let model = Buffer.alloc(0);
        for (const each of operations) {
          if ('size' in each) {
            paged.truncate(each.size);
            model = Buffer.concat([model.subarray(0, each.size), Buffer.alloc(Math.max(0, each.size - model.length))]);
          } else {
            paged.write(each.bytes, each.at);
            const grown = Buffer.alloc(Math.max(model.length, each.at + each.bytes.length));
            grown.set(model);
            grown.set(each.bytes, each.at);
            model = grown;
          }
        }
        expect(paged.toBuffer().equals(model)).toBe(true);
        expect(paged.clone().toBuffer().equals(model)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});

describe('M-2: file content at a power cut', () => {
  type Step = { readonly type: 'write'; readonly sector: number; readonly count: number } | { readonly type: 'sync' };
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant('write' as const),
        sector: fc.nat(SECTORS - 1),
        count: fc.integer({ min: 1, max: 3 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('sync' as const) }) },
  );

  it('each sector holds what was synced last or something written since; synced length is never lost', async () => {
    const seen = { all: 0, none: 0, some: 0 };
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(step, { minLength: 1, maxLength: 20 }), async (seed, steps) => {
        /** What each sector may hold: the durable value first. */
        const legal: number[][] = Array.from({ length: SECTORS + 2 }, () => [0]);
        let syncedEnd = 0;
        let writtenEnd = 0;
        const { world, node } = await withNode(seed, async ({ disk }) => {
          const file = await disk.open('/data/log', 'create');
          await disk.syncDirectory('/data');
          for (const [index, each] of steps.entries()) {
            if (each.type === 'sync') {
              await file.sync();
              for (const values of legal) values.splice(0, values.length - 1);
              syncedEnd = writtenEnd;
            } else {
              file.write([Buffer.alloc(each.count * SECTOR, index + 1)], each.sector * SECTOR);
              for (let at = 0; at < each.count; at++) legal[each.sector + at]?.push(index + 1);
              writtenEnd = Math.max(writtenEnd, (each.sector + each.count) * SECTOR);
            }
          }
        });
        node.powerCut();
        const after = node.disk.contentOf('/data/log');
        expect(after.length).toBeGreaterThanOrEqual(syncedEnd);
        expect(after.length).toBeLessThanOrEqual(writtenEnd);
        let kept = 0;
        for (let sector = 0; sector * SECTOR < after.length; sector++) {
          const bytes = after.subarray(sector * SECTOR, (sector + 1) * SECTOR);
          expect(new Set(bytes).size).toBe(1);
          expect(legal[sector]).toContain(bytes[0]);
          if (bytes[0] === legal[sector]?.at(-1)) kept++;
        }
        seen[kept === writtenEnd / SECTOR ? 'all' : kept === 0 ? 'none' : 'some']++;
        expect(world.failure).toBeUndefined();
      }),
      { numRuns: 200, seed: 1 },
    );
    // A property about losses that never happen would be worth nothing.
    expect(Math.min(seen.all, seen.none, seen.some)).toBeGreaterThan(5);
  });

  it('a truncation is volatile until the sync, too', async () => {
    const lengths = new Set<number>();
    for (let seed = 0; seed < 30; seed++) {
      const { node } = await withNode(seed, async ({ disk }) => {
        await create(disk, '/data/log', 'abcdef');
        await disk.syncDirectory('/data');
        const file = await disk.open('/data/log', 'write');
        await file.truncate(2);
      });
      node.powerCut();
      lengths.add(node.disk.contentOf('/data/log').length);
    }
    expect(lengths).toEqual(new Set([2, 6]));
  });

  it('a kill keeps everything that was written', async () => {
    const { node } = await withNode(1, async ({ disk }) => {
      const file = await disk.open('/data/log', 'create');
      file.write([Buffer.from('unsynced')], 0);
    });
    node.kill();
    expect(node.disk.contentOf('/data/log').toString()).toBe('unsynced');
  });

  it('a sync that was still running at the kill promises nothing, and one that resolved everything', async () => {
    const { world, node } = await withNode(3, async ({ disk, clock }, _world, own) => {
      own.disk.settings.syncLatencyUs = [50_000, 50_000];
      const file = await disk.open('/data/log', 'create');
      await disk.syncDirectory('/data');
      file.write([Buffer.from('one')], 0);
      const first = file.sync();
      file.write([Buffer.from('two')], 3);
      await first;
      void file.sync();
      await sleep(clock, 10);
    });
    node.powerCut();
    expect(world.failure).toBeUndefined();
    expect(node.disk.contentOf('/data/log').toString()).toMatch(/^one/);
  });
});

describe('M-2: names at a power cut', () => {
  it('what was created and not synced may be gone, in any combination; what was synced stays', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      const { world, node } = await withNode(seed, async ({ disk }) => {
        await create(disk, '/data/a', 'a');
        await disk.syncDirectory('/data');
        await create(disk, '/data/b', 'b');
        await create(disk, '/data/c', 'c');
        await disk.remove('/data/a');
      });
      node.powerCut();
      seen.add((await namesIn(world, node)).join(''));
    }
    expect([...seen].sort()).toEqual(['', 'a', 'ab', 'abc', 'ac', 'b', 'bc', 'c']);
  });

  it('R-10.2: a file replaced durably is the old one or the new one, whenever the power goes', async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 0, max: 4000 }), fc.boolean(), async (seed, cutUs, isKill) => {
        const world = new World({ seed });
        const node = world.process('node1');
        node.disk.provision('/data');
        let done = false;
        let armed = false;
        node.start(async ({ disk }) => {
          await writeFileDurably(disk, '/data/state', Buffer.alloc(3000, 1));
          armed = true;
          await writeFileDurably(disk, '/data/state', Buffer.alloc(5000, 2));
          done = true;
        });
        await world.runUntil(() => armed, 1000);
        await world.runFor(cutUs / 1000);
        if (isKill) node.kill();
        else node.powerCut();
        const content = node.disk.contentOf('/data/state');
        const isNew = content.equals(Buffer.alloc(5000, 2));
        expect(isNew || content.equals(Buffer.alloc(3000, 1))).toBe(true);
        if (done) expect(isNew).toBe(true);
        seen.add(`${done} ${isNew}`);
      }),
      { numRuns: 150, seed: 1 },
    );
    expect(seen).toEqual(new Set(['true true', 'false true', 'false false']));
  });

  it('a renamed folder keeps its content under one of its names', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const { world, node } = await withNode(seed, async ({ disk }) => {
        await disk.makeDirectory('/data/t-0');
        await disk.syncDirectory('/data');
        await create(disk, '/data/t-0/log', 'x');
        await disk.syncDirectory('/data/t-0');
        await disk.rename('/data/t-0', '/data/t-0-deleted');
      });
      node.powerCut();
      const names = await namesIn(world, node);
      seen.add(names.join());
      expect(node.disk.contentOf(`/data/${names[0]}/log`).toString()).toBe('x');
    }
    expect(seen).toEqual(new Set(['t-0', 't-0-deleted']));
  });

  it('a removal that a kill interrupts may have removed a part', async () => {
    const left = new Set<number>();
    for (let seed = 0; seed < 40; seed++) {
      const { world, node } = await withNode(seed, async ({ disk }) => {
        await disk.makeDirectory('/data/t-0');
        for (const name of ['a', 'b', 'c']) await create(disk, `/data/t-0/${name}`, name);
        void disk.remove('/data/t-0');
      });
      node.kill();
      left.add((await namesIn(world, node, '/data/t-0')).length);
    }
    expect(left.has(3)).toBe(true);
    expect([...left].some((count) => count === 1 || count === 2)).toBe(true);
  });
});

describe('faults of the disk', () => {
  it('R-14.2: what a failed sync covered is lost, even if the next sync succeeds', async () => {
    const { node } = await withNode(1, async ({ disk }, _world, own) => {
      const file = await disk.open('/data/log', 'create');
      await disk.syncDirectory('/data');
      file.write([Buffer.from('one')], 0);
      own.disk.failNext('sync', 'log');
      expect(await codeOf(file.sync())).toBe('IO');
      file.write([Buffer.from('two')], 3);
      expect(await codeOf(file.sync())).toBe('fine');
      expect((await disk.readFile('/data/log')).toString()).toBe('onetwo');
    });
    node.powerCut();
    expect(node.disk.contentOf('/data/log').toString()).toBe('\0\0\0two');
  });

  it('a file is settled when a power cut would leave it as it is', async () => {
    await withNode(1, async ({ disk }, _world, own) => {
      await create(disk, '/data/a', 'a');
      const node = own.disk.tree.file('/data/a');
      expect(node.isSettled).toBe(true);
      const file = await disk.open('/data/a', 'write');
      file.write([Buffer.from('b')], 1);
      expect(node.isSettled).toBe(false);
      own.disk.failNext('sync');
      await codeOf(file.sync());
      await file.sync();
      expect(node.isSettled, 'no sync brings back what one has lost').toBe(false);
      own.powerCut();
      expect(node.isSettled).toBe(true);
    });
  });

  it('a full disk takes a part of a write, then says NO_SPACE, and has room again after a removal', async () => {
    await withNode(1, async ({ disk }, _world, own) => {
      own.disk.settings.capacityBytes = 100;
      await create(disk, '/data/a', 'x'.repeat(60));
      const file = await disk.open('/data/b', 'create');
      expect(file.write([Buffer.alloc(30, 1), Buffer.alloc(30, 2)], 0)).toBe(40);
      expect(await file.size()).toBe(40);
      expect(await codeOf((async () => file.write([Buffer.alloc(1)], 40))())).toBe('NO_SPACE');
      expect(file.write([Buffer.alloc(40, 3)], 0)).toBe(40);
      await disk.remove('/data/a');
      expect(file.write([Buffer.alloc(60)], 40)).toBe(60);
      expect(own.disk.usedBytes).toBe(100);
      await file.truncate(10);
      expect(own.disk.usedBytes).toBe(10);
    });
  });

  it('reads and writes fail where planned, and only there', async () => {
    await withNode(1, async ({ disk }, _world, own) => {
      await create(disk, '/data/a', 'a');
      await create(disk, '/data/b', 'b');
      own.disk.failNext('read', '/b', 2);
      own.disk.failNext('directory', '/a', 1, 'PERMISSION');
      expect(await codeOf(disk.readFile('/data/b'))).toBe('IO');
      expect(await codeOf(disk.readFile('/data/a'))).toBe('fine');
      expect(await codeOf(disk.readFile('/data/b'))).toBe('IO');
      expect(await codeOf(disk.readFile('/data/b'))).toBe('fine');
      expect(await codeOf(disk.open('/data/a', 'read'))).toBe('PERMISSION');
    });
  });

  it('rot flips bits for readers now and after a restart', async () => {
    const { node } = await withNode(1, async ({ disk }, _world, own) => {
      await create(disk, '/data/a', 'abc');
      await disk.syncDirectory('/data');
      own.disk.corrupt('/data/a', 1, 0x20);
      expect((await disk.readFile('/data/a')).toString()).toBe('aBc');
    });
    node.powerCut();
    expect(node.disk.contentOf('/data/a').toString()).toBe('aBc');
  });

  it('a stalled disk lets everything wait', async () => {
    await withNode(1, async ({ disk, clock }, _world, own) => {
      own.disk.stall(500);
      const startedAt = clock.now();
      await disk.makeDirectory('/data/x');
      expect(clock.now() - startedAt).toBeGreaterThanOrEqual(500);
    });
  });

  it('a wiped disk is empty', async () => {
    const { node } = await withNode(1, async ({ disk }) => create(disk, '/data/a', 'a'));
    node.kill();
    node.disk.wipe();
    expect(() => node.disk.contentOf('/data/a')).toThrow(/no file/);
    expect(node.disk.usedBytes).toBe(0);
  });
});
