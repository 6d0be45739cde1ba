// The quorum's database: what is written is read again, in whatever order it came, and damage is said with its place.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32c } from '../../../src/base/crc32c.ts';
import type { Env } from '../../../src/env/env.ts';
import { EnvError } from '../../../src/env/error.ts';
import { QuorumStorage } from '../../../src/quorum/storage.ts';
import type { Batch, QuorumState } from '../../../src/raft/types.ts';
import { World } from '../../../src/sim/world/world.ts';
import { uuid } from '../metadata/fixture.ts';

async function onDisk(body: (env: Env) => Promise<void>): Promise<void> {
  const world = new World({ seed: 1 });
  world.process('host').disk.provision('/data');
  await world.run('host', 600_000, body);
}

function batch(baseOffset: number, epoch: number, records: number, control = false): Batch {
  return { baseOffset, epoch, control, records: Array.from({ length: records }, (_, i) => Buffer.from([i, epoch])) };
}

type Change =
  | { readonly type: 'append'; readonly sizes: readonly number[]; readonly raise: boolean; readonly control: boolean }
  | { readonly type: 'truncate'; readonly keep: number }
  | { readonly type: 'state'; readonly leaderId: number; readonly voted: boolean };

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    type: fc.constant('append' as const),
    sizes: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }),
    raise: fc.boolean(),
    control: fc.boolean(),
  }),
  fc.record({ type: fc.constant('truncate' as const), keep: fc.nat({ max: 100 }) }),
  fc.record({
    type: fc.constant('state' as const),
    leaderId: fc.integer({ min: -1, max: 5 }),
    voted: fc.boolean(),
  }),
);

test('what was written is what is loaded, over appends, truncations, state changes and restarts', async () => {
  await onDisk(async (env) => {
    let folder = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(change, { maxLength: 6 }), { minLength: 1, maxLength: 3 }), async (lives) => {
        const path = `/data/${folder++}`;
        let log: Batch[] = [];
        let state: QuorumState | undefined;
        let epoch = 1;
        for (const life of lives) {
          const storage = new QuorumStorage(await env.openStore(path));
          expect(await storage.load()).toEqual({ quorumState: state, snapshots: [], batches: log });
          for (const it of life) {
            if (it.type === 'append') {
              if (it.raise) epoch++;
              const batches: Batch[] = [];
              for (const size of it.sizes) {
                const last = batches.at(-1) ?? log.at(-1);
                const end = last === undefined ? 0 : last.baseOffset + last.records.length;
                batches.push(batch(end, epoch, size, it.control));
              }
              log.push(...batches);
              await storage.write(storage.append(batches));
            } else if (it.type === 'truncate') {
              const at = log[it.keep % (log.length + 1)]?.baseOffset ?? Number.MAX_SAFE_INTEGER;
              log = log.filter(({ baseOffset }) => baseOffset < at);
              await storage.write(storage.truncate(at));
            } else {
              const votedKey = it.voted ? { id: 3, directoryId: uuid(3) } : undefined;
              state = { leaderId: it.leaderId, leaderEpoch: epoch, votedKey };
              await storage.write(storage.state(state));
            }
          }
          await storage.close();
        }
        const storage = new QuorumStorage(await env.openStore(path));
        expect(await storage.load()).toEqual({ quorumState: state, snapshots: [], batches: log });
        await storage.close();
      }),
      { numRuns: 30 },
    );
  });
});

describe('damage is CORRUPT, with its place', () => {
  const key = (offset: number): Buffer => {
    const bytes = Buffer.alloc(12);
    bytes.write('log/');
    bytes.writeBigInt64BE(BigInt(offset), 4);
    return bytes;
  };

  async function loadAfter(
    env: Env,
    path: string,
    damage: (store: Awaited<ReturnType<Env['openStore']>>) => Promise<void>,
  ) {
    const store = await env.openStore(path);
    const writer = new QuorumStorage(store);
    await writer.load();
    await writer.write(writer.append([batch(0, 1, 2), batch(2, 1, 3), batch(5, 2, 1)]));
    await writer.write(writer.state({ leaderId: 1, leaderEpoch: 2, votedKey: undefined }));
    await damage(store);
    try {
      await new QuorumStorage(store).load();
      return undefined;
    } catch (error) {
      expect(error).toBeInstanceOf(EnvError);
      expect((error as EnvError).code).toBe('CORRUPT');
      return (error as EnvError).message;
    } finally {
      await store.close();
    }
  }

  test('every flipped bit of a batch or of the state', async () => {
    await onDisk(async (env) => {
      const store = await env.openStore('/data/sizes');
      const writer = new QuorumStorage(store);
      await writer.load();
      await writer.write(writer.append([batch(0, 1, 2), batch(2, 1, 3), batch(5, 2, 1)]));
      await writer.write(writer.state({ leaderId: 1, leaderEpoch: 2, votedKey: undefined }));
      for (const [at, place] of [
        [key(2), 'offset 2'],
        [Buffer.from('quorum-state'), 'quorum state'],
      ] as const) {
        const good = (await store.get(at)) as Buffer;
        for (let bit = 0; bit < good.length * 8; bit++) {
          const value = Buffer.from(good);
          value[bit >> 3] = (value[bit >> 3] as number) ^ (1 << (bit & 7));
          await store.batch([{ type: 'put', key: at, value }], { sync: true });
          const loading = new QuorumStorage(store).load();
          await expect(loading).rejects.toMatchObject({ code: 'CORRUPT', message: expect.stringContaining(place) });
        }
        await store.batch([{ type: 'put', key: at, value: good }], { sync: true });
      }
      expect((await new QuorumStorage(store).load()).batches).toHaveLength(3);
    });
  });

  test('a missing batch, one in the wrong place, a short one, a strange key', async () => {
    await onDisk(async (env) => {
      const cases: [string, RegExp, Parameters<typeof loadAfter>[2]][] = [
        ['missing', /before 5/, (store) => store.batch([{ type: 'delete', key: key(2) }], { sync: true })],
        ['first', /before 2/, (store) => store.batch([{ type: 'delete', key: key(0) }], { sync: true })],
        [
          'moved',
          /offset 6/,
          async (store) => {
            const value = (await store.get(key(2))) as Buffer;
            await store.batch([{ type: 'put', key: key(6), value }], { sync: true });
          },
        ],
        [
          'short',
          /offset 5/,
          (store) => store.batch([{ type: 'put', key: key(5), value: Buffer.alloc(3) }], { sync: true }),
        ],
        [
          'strange',
          /key 6c6f672f61/,
          (store) => store.batch([{ type: 'put', key: Buffer.from('log/a'), value: Buffer.alloc(9) }], { sync: true }),
        ],
      ];
      for (const [name, message, damage] of cases) {
        expect(await loadAfter(env, `/data/${name}`, damage)).toMatch(message);
      }
    });
  });
});

describe('the catalogue (R-10.3)', () => {
  const entry = (endOffset: number, epoch: number) => ({ id: { endOffset, epoch }, sizeBytes: 100 + endOffset });

  async function keysBelow(env: Env, path: string, offset: number): Promise<number> {
    const store = await env.openStore(path);
    const end = Buffer.alloc(12);
    end.write('log/');
    end.writeBigInt64BE(BigInt(offset), 4);
    let count = 0;
    for await (const _ of store.entries({ from: Buffer.from('log/'), to: end })) count++;
    await store.close();
    return count;
  }

  test('the log begins at the end of the oldest snapshot, or after all of it', async () => {
    await onDisk(async (env) => {
      const path = '/data/trim';
      let storage = new QuorumStorage(await env.openStore(path));
      const log = [batch(0, 1, 2), batch(2, 1, 3), batch(5, 2, 1), batch(6, 2, 2)];
      await storage.write(storage.append(log));
      expect(storage.end).toEqual({ logEndOffset: 8, lastEpoch: 2 });
      const listed = [entry(5, 1), entry(6, 2)];
      await storage.write(storage.catalogue(listed, false).operations);
      await storage.close();
      expect(await keysBelow(env, path, 5)).toBe(0);
      storage = new QuorumStorage(await env.openStore(path));
      expect(await storage.load()).toEqual({ quorumState: undefined, snapshots: listed, batches: log.slice(2) });
      expect(storage.end).toEqual({ logEndOffset: 8, lastEpoch: 2 });
      // A cut down to the start leaves the epoch of the snapshot.
      await storage.write(storage.truncate(6));
      expect(storage.end).toEqual({ logEndOffset: 6, lastEpoch: 2 });
      // A snapshot of a later epoch may end below what is cut for it.
      await storage.write(storage.append([batch(6, 2, 2), batch(8, 2, 5)]));
      await storage.write(storage.catalogue([entry(9, 4)], true).operations);
      expect(storage.end).toEqual({ logEndOffset: 9, lastEpoch: 4 });
      await storage.write(storage.append([batch(9, 4, 1)]));
      await storage.close();
      storage = new QuorumStorage(await env.openStore(path));
      expect(await storage.load()).toMatchObject({ snapshots: [entry(9, 4)], batches: [batch(9, 4, 1)] });
      await storage.close();
    });
  });

  test('very many keys go later, in pieces; a crash in between loses nothing and leaves nothing for ever', async () => {
    await onDisk(async (env) => {
      const path = '/data/many';
      let storage = new QuorumStorage(await env.openStore(path));
      await storage.write(storage.append(Array.from({ length: 5000 }, (_, i) => batch(i, 1, 1))));
      const { operations, garbage } = storage.catalogue([entry(4990, 1)], false);
      expect(operations.length).toBeLessThan(1500);
      expect(garbage.length + operations.length).toBe(4991);
      await storage.write(operations);
      await storage.close();
      expect(await keysBelow(env, path, 4990)).toBe(garbage.length);
      storage = new QuorumStorage(await env.openStore(path));
      expect((await storage.load()).batches).toHaveLength(10);
      await storage.discard([]);
      await storage.close();
      expect(await keysBelow(env, path, 4990)).toBe(0);
    });
  });

  test('a snapshot that does not end where a batch of its epoch ends is damage', async () => {
    await onDisk(async (env) => {
      for (const [name, listed] of [
        ['inside', [entry(1, 1)]],
        ['beyond', [entry(2, 1), entry(9, 2)]],
        ['of another epoch', [entry(2, 1), entry(5, 2)]],
        ['before the start', [entry(5, 1), entry(2, 1)]],
      ] as const) {
        const store = await env.openStore(`/data/${name}`);
        const writer = new QuorumStorage(store);
        await writer.write(writer.append([batch(0, 1, 2), batch(2, 1, 3), batch(5, 2, 1)]));
        await writer.write(writer.catalogue(listed, false).operations);
        await expect(new QuorumStorage(store).load(), name).rejects.toMatchObject({ code: 'CORRUPT' });
        await store.close();
      }
    });
  });

  test('what a newer version wrote is said to be that', async () => {
    await onDisk(async (env) => {
      const store = await env.openStore('/data/newer');
      const value = Buffer.from([0, 0, 0, 0, 2, 0]);
      value.writeUInt32BE(crc32c(value, 4), 0);
      await store.batch([{ type: 'put', key: Buffer.from('snapshots'), value }], { sync: true });
      const loading = new QuorumStorage(store).load();
      await expect(loading).rejects.toMatchObject({ code: 'NEWER_FORMAT' });
      await store.close();
    });
  });
});
