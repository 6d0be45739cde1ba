// Several log dirs: where replicas are, and what becomes of them when the disk of one fails (D-10.5).
import { describe, expect, test } from 'vitest';
import { must } from '../../../src/base/assert.ts';
import { sleep } from '../../../src/env/clock.ts';
import { EnvError } from '../../../src/env/error.ts';
import { appendToPartition } from '../../../src/replica/append.ts';
import { appendInTurn } from '../../../src/replica/append-turns.ts';
import { readPartition } from '../../../src/replica/read.ts';
import type { World } from '../../../src/sim/world/world.ts';
import { batchOf } from '../broker/bench.ts';
import { partitionRecord, record, topicRecord, uuid } from '../metadata/fixture.ts';
import type { Replicas } from './bench.ts';
import { SELF, topic, withReplicas } from './bench.ts';

const [T, U, V] = [uuid(50), uuid(51), uuid(52)];
const [FIRST, SECOND] = [uuid(61), uuid(62)];
const TWO = { paths: ['/d1', '/d2'], level: 2 };
/** Reads go to the disk. */
const READING = { ...TWO, keys: { 'log.tail.cache.bytes': '0' } };

function wide(name: string, topicId: string, partitions: number, directory?: string) {
  const fields = directory === undefined ? {} : { directories: [directory] };
  return [
    topicRecord(name, topicId),
    ...Array.from({ length: partitions }, (_, i) => partitionRecord(topicId, i, [SELF], fields)),
  ];
}

async function foldersIn({ env }: Pick<Replicas, 'env'>, path: string): Promise<string[]> {
  const entries = await env.disk.list(path);
  return entries.filter(({ name, isDirectory }) => isDirectory && name !== 'checkpoints').map(({ name }) => name);
}

function lines(world: World, event: string) {
  return world.log.lines().filter((line) => line.event === event);
}

async function append({ partition }: Pick<Replicas, 'partition'>, topicId: string, records = 3) {
  const found = await partition(topicId);
  const result = await appendInTurn(found, () => appendToPartition(found, batchOf(records), -1));
  return result.kind === 'appended' ? ((await result.acknowledged) ?? 'NONE') : result.error;
}

describe('where a new replica goes', () => {
  test('to the directory with the fewest, and the metadata is to hear of it', async () => {
    await withReplicas(async (replicas) => {
      const { commit, manager, told } = replicas;
      commit(...wide('t', T, 5));
      await manager.settled();
      expect(await foldersIn(replicas, '/d1')).toEqual(['t-0', 't-2', 't-4']);
      expect(await foldersIn(replicas, '/d2')).toEqual(['t-1', 't-3']);
      expect(told.misplaced).toEqual(new Map([0, 1, 2, 3, 4].map((i) => [`${T}/${i}`, i % 2 === 0 ? FIRST : SECOND])));
    }, TWO);
  });

  test('to the one that the metadata names; then nothing is told', async () => {
    await withReplicas(async (replicas) => {
      const { commit, manager, told } = replicas;
      commit(...wide('t', T, 3, SECOND));
      await manager.settled();
      expect(await foldersIn(replicas, '/d2')).toEqual(['t-0', 't-1', 't-2']);
      expect(told.misplaced.size).toBe(0);
    }, TWO);
  });

  test('nowhere, where it was in a directory that is not there any more and the cluster counts on its records', async () => {
    const before = (isr: number[], elr: number[]) => [
      topicRecord('t', T),
      partitionRecord(T, 0, [SELF, 2], { directories: [uuid(9), uuid(8)], isr, elr, leader: isr[0] ?? -1 }),
    ];
    for (const [isr, elr] of [
      [[SELF], []],
      [[], [SELF]],
    ] as const) {
      await withReplicas(
        async (replicas) => {
          await replicas.manager.settled();
          expect(await replicas.manager.find(T, 0)).toBe('KAFKA_STORAGE_ERROR');
          expect(await foldersIn(replicas, '/d1')).toEqual([]);
          expect(replicas.told.misplaced.size).toBe(0);
          const [line] = lines(replicas.world, 'partition-offline');
          expect(line?.fields['reason']).toContain(`directory.id ${uuid(9)}, which is not in log.dirs any more`);
        },
        { ...TWO, before: before([...isr], [...elr]) },
      );
    }
    // Another replica has them.
    await withReplicas(
      async (replicas) => {
        await replicas.manager.settled();
        expect(await foldersIn(replicas, '/d1')).toEqual(['t-0']);
      },
      { ...TWO, before: before([2], []) },
    );
  });

  test('nothing is told of an only directory, nor at a level that does not know of directories', async () => {
    await withReplicas(
      async ({ commit, manager, told }) => {
        commit(...topic('t', T));
        await manager.settled();
        expect(told.misplaced.size).toBe(0);
      },
      { paths: ['/d1'], level: 2 },
    );
    await withReplicas(
      async ({ commit, manager, told }) => {
        commit(...topic('t', T));
        await manager.settled();
        expect(told.misplaced.size).toBe(0);
        commit(record({ $case: 'metadataLevel', metadataLevel: { level: 2 } }));
        expect([...told.misplaced]).toEqual([[`${T}/0`, FIRST]]);
      },
      { paths: ['/d1', '/d2'], level: 1 },
    );
  });
});

describe('a directory whose disk fails while the broker runs', () => {
  test.each([
    ['write', 'NO_SPACE'],
    ['sync', 'IO'],
  ] as const)('a failed %s (%s) takes all of it offline, once, and nothing else', async (kind, code) => {
    const world = await withReplicas(async (replicas) => {
      const { commit, manager, directories, told } = replicas;
      const { disk } = replicas.world.process('host');
      commit(...topic('a', T), ...topic('b', U), ...topic('c', V)); // in /d1, /d2, /d1
      for (const id of [T, U, V]) expect(await append(replicas, id)).toBe('NONE');
      disk.failNext(kind, '/d1/a-0', 1, code);
      expect(await append(replicas, T)).toBe('KAFKA_STORAGE_ERROR');
      expect(told.failed).toEqual([FIRST]);
      const third = await manager.find(V, 0);
      expect(third).toMatchObject({ failure: { code } });
      expect(await append(replicas, V)).toBe('KAFKA_STORAGE_ERROR');
      expect(await append(replicas, U)).toBe('NONE');
      expect([...manager.partitions()].map((open) => open.topic)).toEqual(['b']);
      const before = disk.contentOf('/d1/c-0/00000000000000000000.log');
      // What comes now goes elsewhere.
      commit(...topic('d', uuid(53)), ...topic('e', uuid(54)));
      for (const id of [uuid(53), uuid(54)]) expect(await append(replicas, id)).toBe('NONE');
      expect(await foldersIn(replicas, '/d1')).toEqual(['a-0', 'c-0']);
      await expect(must(directories[0], 'the first log dir').checkpoint(() => undefined)).rejects.toMatchObject({
        code,
      });
      expect(disk.contentOf('/d1/c-0/00000000000000000000.log')).toEqual(before);
    }, TWO);
    const [line, ...others] = lines(world, 'log-dir-offline');
    expect(others).toEqual([]);
    expect(line?.level).toBe('error');
    expect(line?.fields).toMatchObject({ path: '/d1', partitions: 2, reason: expect.stringContaining(code) });
    expect(line?.fields?.['fix']).toContain(code === 'NO_SPACE' ? 'free space' : 'mend or replace');
    expect(lines(world, 'partition-offline')).toEqual([]);
    // C-2.4: only the good one is stopped cleanly. Everything that was acknowledged is there.
    await withReplicas(
      async (replicas) => {
        expect(replicas.directories.map(({ cleanShutdownEpoch }) => cleanShutdownEpoch !== undefined)).toEqual([
          false,
          true,
        ]);
        const found = await Promise.all([T, U, V].map((id) => replicas.partition(id)));
        expect(found.map(({ log }) => log.logEndOffset >= 3)).toEqual([true, true, true]);
        expect(await append(replicas, T)).toBe('NONE');
      },
      { ...TWO, world, before: [...topic('a', T), ...topic('b', U), ...topic('c', V)] },
    );
  });

  test('a failed checkpoint, a folder that cannot be made or removed, and a failed read do so as well', async () => {
    const causes: ((replicas: Replicas) => Promise<void>)[] = [
      async ({ world, env }) => {
        world.process('host').disk.failNext('store', '/d1/checkpoints');
        await sleep(env.clock, 5000);
      },
      async ({ world, commit, manager }) => {
        world.process('host').disk.failNext('directory', '/d1/c-0', 1, 'PERMISSION');
        commit(...topic('c', V));
        expect(await manager.find(V, 0)).toBe('KAFKA_STORAGE_ERROR');
      },
      async ({ world, env, commit }) => {
        world.process('host').disk.failNext('directory', '/d1/a-0');
        commit(record({ $case: 'removeTopic', removeTopic: { topicId: T } }));
        await sleep(env.clock, 1000);
      },
      async (replicas) => {
        replicas.world.process('host').disk.failNext('read', '/d1/a-0');
        const fetch = {
          fetchOffset: 0,
          currentLeaderEpoch: -1,
          lastFetchedEpoch: -1,
          maxBytes: 1000,
          atLeastOne: true,
        };
        expect(await readPartition(await replicas.partition(T), fetch)).toMatchObject({ error: 'KAFKA_STORAGE_ERROR' });
      },
    ];
    for (const cause of causes) {
      const world = await withReplicas(async (replicas) => {
        replicas.commit(...topic('a', T), ...topic('b', U));
        for (const id of [T, U]) expect(await append(replicas, id)).toBe('NONE');
        await cause(replicas);
        expect(replicas.told.failed).toEqual([FIRST]);
        expect(await append(replicas, U)).toBe('NONE');
      }, READING);
      expect(lines(world, 'log-dir-offline').map(({ fields }) => fields?.['path'])).toEqual(['/d1']);
    }
  });

  test('what is damaged is its partition alone', async () => {
    await withReplicas(async (replicas) => {
      replicas.commit(...topic('a', T), ...topic('b', U), ...topic('c', V));
      for (const id of [T, U, V]) expect(await append(replicas, id)).toBe('NONE');
      (await replicas.partition(T)).fail(new EnvError('CORRUPT', 'rotten'));
      expect(await append(replicas, T)).toBe('KAFKA_STORAGE_ERROR');
      expect(await append(replicas, V)).toBe('NONE');
      expect(replicas.told.failed).toEqual([]);
      expect(lines(replicas.world, 'partition-offline').length).toBe(1);
    }, TWO);
  });
});

describe('a directory that cannot be opened', () => {
  test('its replicas are not begun anew elsewhere; new ones are', async () => {
    const world = await withReplicas(async (replicas) => {
      replicas.commit(...topic('a', T), ...topic('b', U)); // in /d1, /d2
      for (const id of [T, U]) expect(await append(replicas, id)).toBe('NONE');
    }, TWO);
    const before = [...topic('a', T), ...topic('b', U)];
    await withReplicas(
      async (replicas) => {
        expect(await replicas.manager.find(T, 0)).toBe('KAFKA_STORAGE_ERROR');
        expect(await append(replicas, U)).toBe('NONE');
        replicas.commit(...topic('c', V));
        expect(await append(replicas, V)).toBe('NONE');
        expect(await foldersIn(replicas, '/d2')).toEqual(['b-0', 'c-0']);
        const [line] = lines(world, 'partition-offline').slice(-1);
        expect(line?.fields).toMatchObject({ topic: 'a', reason: 'a-0 may be in /d1, which could not be opened' });
      },
      { ...TWO, world, before, unopened: ['/d1'] },
    );
    await withReplicas(
      async ({ partition }) => {
        expect([(await partition(T)).log.logEndOffset, (await partition(U)).log.logEndOffset]).toEqual([3, 6]);
      },
      { ...TWO, world, before },
    );
  });
});

describe('folders that somebody moved', () => {
  test('a replica is served where its folder is, and the metadata is to hear of it', async () => {
    const world = await withReplicas(async (replicas) => {
      replicas.commit(...wide('a', T, 1, FIRST));
      expect(await append(replicas, T)).toBe('NONE');
      expect(await foldersIn(replicas, '/d1')).toEqual(['a-0']);
    }, TWO);
    world.process('host').kill();
    await world.run('host', 1000, async ({ disk }) => {
      await disk.rename('/d1/a-0', '/d2/a-0');
      await disk.syncDirectory('/d1');
      await disk.syncDirectory('/d2');
    });
    await withReplicas(
      async ({ partition, told }) => {
        expect((await partition(T)).log.logEndOffset).toBe(3);
        expect([...told.misplaced]).toEqual([[`${T}/0`, SECOND]]);
      },
      { ...TWO, world, before: wide('a', T, 1, FIRST) },
    );
  });

  test('a folder in two directories is served from neither, with a sentence that names both; the bytes stay', async () => {
    const world = await withReplicas(async (replicas) => {
      replicas.commit(...topic('a', T), ...topic('b', U));
      for (const id of [T, U]) expect(await append(replicas, id)).toBe('NONE');
    }, TWO);
    await copyFolder(world, '/d1/a-0', '/d2/a-0');
    const before = [...topic('a', T), ...topic('b', U)];
    await withReplicas(
      async (replicas) => {
        expect(await replicas.manager.find(T, 0)).toBe('KAFKA_STORAGE_ERROR');
        expect(await append(replicas, U)).toBe('NONE');
        const [line] = lines(world, 'partition-offline');
        expect(line?.fields?.['reason']).toBe(
          'a-0 has a folder both in /d1 and in /d2: stop the broker, move the one that is not to be served out of log.dirs, and start it again',
        );
        replicas.commit(record({ $case: 'removeTopic', removeTopic: { topicId: T } }));
        await replicas.manager.settled();
      },
      { ...TWO, world, before },
    );
    const { disk } = world.process('host');
    for (const path of ['/d1/a-0', '/d2/a-0']) {
      expect(disk.contentOf(`${path}/00000000000000000000.log`).length).toBeGreaterThan(0);
    }
  });

  test("folders under Kafka's names for what is no partition are never served; only -delete goes (C-7.1)", async () => {
    const world = await withReplicas(async (replicas) => {
      replicas.commit(...topic('a', T));
      expect(await append(replicas, T)).toBe('NONE');
    }, TWO);
    const names = ['stray', 'delete', 'future'].map((what) => `a-1.0123456789abcdef0123456789abcdef-${what}`);
    for (const name of names) await copyFolder(world, '/d1/a-0', `/d1/${name}`);
    await withReplicas(
      async (replicas) => {
        expect((await replicas.partition(T)).log.logEndOffset).toBe(3);
        expect(replicas.directories.flatMap((directory) => directory.partitions())).toHaveLength(1);
        expect(await foldersIn(replicas, '/d1')).toEqual(['a-0', names[2], names[0]]);
        for (const name of [names[0], names[2]]) {
          const { disk } = world.process('host');
          expect(disk.contentOf(`/d1/${name}/00000000000000000000.log`).length).toBeGreaterThan(0);
        }
      },
      { ...TWO, world, before: [...topic('a', T)] },
    );
  });
});

async function copyFolder(world: World, from: string, to: string): Promise<void> {
  world.process('host').kill();
  await world.run('host', 10_000, async ({ disk }) => {
    await disk.makeDirectory(to);
    for (const { name } of await disk.list(from)) {
      const file = await disk.open(`${to}/${name}`, 'create');
      file.write([await disk.readFile(`${from}/${name}`)], 0);
      await file.sync();
      await file.close();
    }
    await disk.syncDirectory(to);
    await disk.syncDirectory(to.slice(0, to.lastIndexOf('/')));
  });
}
