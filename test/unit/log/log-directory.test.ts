import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { EnvError } from '../../../src/env/error.ts';
import type { LogDirectoryDeps } from '../../../src/log/log-directory.ts';
import { LogDirectory } from '../../../src/log/log-directory.ts';
import type { StorageProblem } from '../../../src/log/storage.ts';
import { readMetaProperties, StorageError, writeMetaProperties } from '../../../src/log/storage.ts';
import { openStore } from '../../../src/node/store.ts';
import { batch, CONFIG, deps, tempFolder } from './fixture.ts';

const CLUSTER = '4L6g3nShT-eMCtK--X86sw';
const DIRECTORY = 'q1Sh-9_ISia_zwGINzRvyQ';
const [T1, T2] = ['AAAAAAAAAAAAAAAAAAAAAQ', 'AAAAAAAAAAAAAAAAAAAAAg'];
const OWNER = { nodeId: 3, clusterId: CLUSTER };

function world(events: string[] = []): LogDirectoryDeps {
  return { ...deps(events), openStore };
}

async function formatted(): Promise<string> {
  const path = await tempFolder();
  const meta = { clusterId: CLUSTER, nodeId: 3, directoryId: DIRECTORY, version: 1 } as const;
  await writeMetaProperties(deps().disk, path, meta);
  return path;
}

async function problemOf(opening: Promise<unknown>): Promise<[StorageProblem, string]> {
  const error = await opening.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(StorageError);
  return [(error as StorageError).problem, (error as StorageError).message];
}

describe('meta.properties', () => {
  test("has Kafka's keys and reads back, with comments around", async () => {
    const path = await formatted();
    const text = await readFile(`${path}/meta.properties`, 'utf8');
    expect(text).toBe(`cluster.id=${CLUSTER}\ndirectory.id=${DIRECTORY}\nnode.id=3\nversion=1\n`);
    await writeFile(`${path}/meta.properties`, `#\n#Sat Nov 21 2026\n${text}`);
    expect(await readMetaProperties(deps().disk, path)).toMatchObject({ nodeId: 3, directoryId: DIRECTORY });
  });

  test.each<[string, StorageProblem, string]>([
    ['', 'malformed', 'format it again'],
    [`version=1\ncluster.id=${CLUSTER}\nnode.id=3\n`, 'malformed', 'directory.id is missing'],
    [`version=2\nanything=else\n`, 'newer-version', 'start the release that wrote it'],
    [
      `version=1\ncluster.id=other\nnode.id=3\ndirectory.id=${DIRECTORY}\n`,
      'foreign-cluster',
      'belongs to cluster other',
    ],
    [`version=1\ncluster.id=${CLUSTER}\nnode.id=4\ndirectory.id=${DIRECTORY}\n`, 'foreign-node', 'belongs to node 4'],
  ])('%j is refused as %s', async (text, problem, words) => {
    const path = await tempFolder();
    await writeFile(`${path}/meta.properties`, text);
    const [told, sentence] = await problemOf(LogDirectory.open(world(), path, OWNER));
    expect(told).toBe(problem);
    expect(sentence).toContain(words);
    expect(sentence).toContain(path);
    expect(await readdir(path), 'nothing is created').toEqual(['meta.properties']);
  });

  test('an unformatted directory is refused, and so is a locked one', async () => {
    const [problem, sentence] = await problemOf(LogDirectory.open(world(), await tempFolder(), OWNER));
    expect([problem, sentence]).toEqual(['unformatted', expect.stringContaining("run 'kvorum format'")]);
    const path = await formatted();
    const directory = await LogDirectory.open(world(), path, OWNER);
    expect((await problemOf(LogDirectory.open(world(), path, OWNER)))[0]).toBe('locked');
    await directory.close(false, -1);
    await (await LogDirectory.open(world(), path, OWNER)).close(false, -1);
  });
});

describe('C-2.4 the marker of a clean stop', () => {
  test('is left by a clean close only, and consumed by the next start', async () => {
    const path = await formatted();
    const seen: unknown[] = [];
    for (const clean of [true, true, false, true]) {
      const directory = await LogDirectory.open(world(), path, OWNER);
      seen.push([directory.bootCounter, directory.cleanShutdownEpoch]);
      expect(await readdir(path)).not.toContain('.kafka_cleanshutdown');
      expect(await directory.close(clean, 40 + directory.bootCounter)).toBe(clean);
    }
    expect(seen).toEqual([
      [1, undefined],
      [2, 41],
      [3, 42],
      [4, undefined],
    ]);
    expect(await readFile(`${path}/.kafka_cleanshutdown`, 'utf8')).toBe(
      '{"version":0,"brokerEpoch":44,"bootCounter":4}',
    );
  });

  test('C-2.2a: the count of starts can be raised to that of another directory, and goes on from there', async () => {
    const path = await formatted();
    const directory = await LogDirectory.open(world(), path, OWNER);
    await directory.raiseBootCounter(11);
    await directory.raiseBootCounter(3);
    expect(directory.bootCounter).toBe(11);
    await directory.close(false, -1);
    const next = await LogDirectory.open(world(), path, OWNER);
    expect(next.bootCounter).toBe(12);
    await next.close(true, -1);
  });

  test('B42: a start that dies while it loads counts as unclean', async () => {
    const path = await formatted();
    await (await LogDirectory.open(world(), path, OWNER)).close(true, 7);
    await (await LogDirectory.open(world(), path, OWNER)).close(false, -1);
    const directory = await LogDirectory.open(world(), path, OWNER);
    expect(directory.cleanShutdownEpoch).toBeUndefined();
    await directory.close(true, -1);
  });

  test('a clean stop does not vouch for a log that was not opened since a crash', async () => {
    const path = await formatted();
    const first = await LogDirectory.open(world(), path, OWNER);
    const log = await first.openLog('t', T1, 0, CONFIG);
    for (let i = 0; i < 3; i++) log.append(batch(), 0);
    await log.flush();
    await first.close(false, -1);
    // A torn end, as a power cut leaves it.
    const file = `${path}/t-0/00000000000000000000.log`;
    await truncate(file, (await readFile(file)).length - 5);
    const second = await LogDirectory.open(world(), path, OWNER);
    expect(await second.close(true, 1)).toBe(true);
    const third = await LogDirectory.open(world(), path, OWNER);
    expect(third.cleanShutdownEpoch).toBe(1);
    expect((await third.openLog('t', T1, 0, CONFIG)).logEndOffset).toBe(2);
    await third.close(true, 1);
    // Checked by now: what a clean stop vouches for may not be torn.
    await truncate(file, (await readFile(file)).length - 5);
    const fourth = await LogDirectory.open(world(), path, OWNER);
    await expect(fourth.openLog('t', T1, 0, CONFIG)).rejects.toMatchObject({ code: 'CORRUPT' });
    await fourth.close(false, -1);
  });
});

describe('partitions', () => {
  test('are found again with their topic ids, offsets and high watermarks', async () => {
    const path = await formatted();
    const first = await LogDirectory.open(world(), path, OWNER);
    for (const [topic, topicId] of [
      ['a', T1],
      ['b-1', T2],
    ] as const) {
      const log = await first.openLog(topic, topicId, 2, CONFIG);
      log.append(batch({ count: 4 }), 0);
      await log.flush();
    }
    await first.checkpoint((topicId) => (topicId === T1 ? 3 : undefined));
    await first.close(true, 9);
    const second = await LogDirectory.open(world(), path, OWNER);
    expect(second.partitions()).toEqual([
      { topic: 'a', partition: 2, topicId: T1 },
      { topic: 'b-1', partition: 2, topicId: T2 },
    ]);
    expect(second.checkpointOf(T1, 2)).toEqual({ recoveryPoint: 4, logStartOffset: 0, highWatermark: 3 });
    expect(second.checkpointOf(T2, 2)?.highWatermark).toBe(0);
    expect((await second.openLog('a', T1, 2, CONFIG)).logEndOffset).toBe(4);
    await second.close(true, 9);
    expect(await readFile(`${path}/a-2/partition.metadata`, 'utf8')).toBe(`version: 0\ntopic_id: ${T1}\n`);
  });

  test('removal forgets everything; a topic created anew inherits nothing', async () => {
    const path = await formatted();
    const directory = await LogDirectory.open(world(), path, OWNER);
    const log = await directory.openLog('t', T1, 0, CONFIG);
    log.append(batch(), 0);
    await log.flush();
    await directory.checkpoint(() => 1);
    await expect(directory.openLog('t', T2, 0, CONFIG)).rejects.toThrow(/open already/);
    await directory.removeLog('t', 0);
    expect(directory.partitions()).toEqual([]);
    expect(directory.checkpointOf(T1, 0)).toBeUndefined();
    expect((await readdir(path)).filter((name) => name.startsWith('t-'))).toEqual([]);
    expect((await directory.openLog('t', T2, 0, CONFIG)).logEndOffset).toBe(0);
    await directory.close(true, -1);
  });

  test('D-0.5 a folder of another topic id is refused until it is moved aside, its bytes kept', async () => {
    const path = await formatted();
    const first = await LogDirectory.open(world(), path, OWNER);
    (await first.openLog('t', T1, 0, CONFIG)).append(batch(), 0);
    await first.close(true, -1);
    const second = await LogDirectory.open(world(), path, OWNER);
    await expect(second.openLog('t', T2, 0, CONFIG)).rejects.toMatchObject({ code: 'EXISTS' });
    const aside = await second.moveAside('t', 0);
    expect(aside).toMatch(/\/t-0\.2-1-stray$/);
    expect(await readdir(aside as string)).toContain('00000000000000000000.log');
    expect((await second.openLog('t', T2, 0, CONFIG)).logEndOffset).toBe(0);
    await second.close(true, -1);
    const third = await LogDirectory.open(world(), path, OWNER);
    expect(third.partitions()).toEqual([{ topic: 't', partition: 0, topicId: T2 }]);
    await third.close(false, -1);
  });

  test('leftovers of deletions go at start; a creation that was cut short is taken up', async () => {
    const path = await formatted();
    await mkdir(`${path}/gone-0.7-1-delete`);
    await writeFile(`${path}/gone-0.7-1-delete/00000000000000000000.log`, 'x');
    await mkdir(`${path}/half-0`);
    await writeFile(`${path}/half-0/00000000000000000000.log`, '');
    await mkdir(`${path}/not a partition`);
    const events: string[] = [];
    const directory = await LogDirectory.open(world(events), path, OWNER);
    expect(events).toContain('deleted-partition-removed');
    expect(await readdir(path)).not.toContain('gone-0.7-1-delete');
    expect(directory.partitions()).toEqual([{ topic: 'half', partition: 0, topicId: undefined }]);
    expect((await directory.openLog('half', T1, 0, CONFIG)).logEndOffset).toBe(0);
    await directory.close(true, -1);
  });

  test('D-10.2 a log that ends below its recovery point is refused, after a clean stop too', async () => {
    for (const clean of [true, false]) {
      const path = await formatted();
      const first = await LogDirectory.open(world(), path, OWNER);
      const log = await first.openLog('t', T1, 0, CONFIG);
      log.append(batch(), 0);
      log.append(batch(), 0);
      await log.flush();
      await first.checkpoint(() => 0);
      await first.close(clean, -1);
      await rm(`${path}/t-0/00000000000000000000.log`);
      const second = await LogDirectory.open(world(), path, OWNER);
      const opening = second.openLog('t', T1, 0, CONFIG).then((again) => again.warm());
      await expect(opening).rejects.toMatchObject({ code: 'CORRUPT' });
      await second.close(false, -1);
    }
  });

  test('a truncation lowers the durable recovery point first', async () => {
    const path = await formatted();
    const first = await LogDirectory.open(world(), path, OWNER);
    const log = await first.openLog('t', T1, 0, CONFIG);
    for (let i = 0; i < 6; i++) log.append(batch({ count: 2 }), 0);
    await log.flush();
    await first.checkpoint(() => 12);
    await log.truncateTo(7);
    expect(log.logEndOffset).toBe(6);
    expect(first.checkpointOf(T1, 0)?.recoveryPoint).toBe(6);
    await first.close(false, -1);
    const events: string[] = [];
    const second = await LogDirectory.open(world(events), path, OWNER);
    expect((await second.openLog('t', T1, 0, CONFIG)).logEndOffset).toBe(6);
    // What a leader has it cut is not missing.
    expect(events).not.toContain('log-ends-below-high-watermark');
    expect(second.isIncomplete(T1, 0)).toBe(false);
    await second.close(true, -1);
  });

  test('D-10.2: a log that ends below what was committed in it is incomplete, until the cluster was told', async () => {
    const path = await formatted();
    const first = await LogDirectory.open(world(), path, OWNER);
    const log = await first.openLog('t', T1, 0, { ...CONFIG, flushMode: 'async' });
    for (let i = 0; i < 3; i++) log.append(batch(), 0);
    await first.checkpoint(() => 3);
    await first.close(false, -1);
    const file = `${path}/t-0/00000000000000000000.log`;
    await truncate(file, (await readFile(file)).length - 5);
    const second = await LogDirectory.open(world(), path, OWNER);
    expect((await second.openLog('t', T1, 0, CONFIG)).logEndOffset).toBe(2);
    expect(second.isIncomplete(T1, 0)).toBe(true);
    // Neither what is noted of the shorter log nor another crash hides it.
    await second.checkpoint(() => 2);
    await second.close(false, -1);
    const third = await LogDirectory.open(world(), path, OWNER);
    await third.openLog('t', T1, 0, CONFIG);
    expect(third.isIncomplete(T1, 0)).toBe(true);
    await third.told(T1, 0);
    await third.close(true, -1);
    const fourth = await LogDirectory.open(world(), path, OWNER);
    expect(fourth.isIncomplete(T1, 0)).toBe(false);
    await fourth.close(true, -1);
  });

  test('M-8: what is noted of committed records survives the process', async () => {
    const directory = await LogDirectory.open(world(), await formatted(), OWNER);
    const log = await directory.openLog('t', T1, 0, CONFIG);
    log.append(batch({ count: 4 }), 0);
    await log.flush();
    log.append(batch({ count: 4 }), 0);
    await directory.checkpoint(() => 8);
    expect(directory.checkpointOf(T1, 0)?.highWatermark).toBe(4);
    await log.flush();
    await directory.checkpoint(() => 8);
    expect(directory.checkpointOf(T1, 0)?.highWatermark).toBe(8);
    await directory.close(true, -1);
  });

  test.each(['removeLog', 'moveAside'] as const)(
    'D-0.6: a crash in the middle of %s leaves nothing to be missed',
    async (remove) => {
      const path = await formatted();
      const first = await LogDirectory.open(world(), path, OWNER);
      const log = await first.openLog('t', T1, 0, CONFIG);
      log.append(batch({ count: 4 }), 0);
      await log.flush();
      await first.checkpoint(() => 4);
      await first.close(false, -1);
      // Renamed, and then no write to the store succeeds.
      let isBroken = false;
      const broken: LogDirectoryDeps = {
        ...world(),
        openStore: async (at) => {
          const store = await openStore(at);
          return {
            get: (key) => store.get(key),
            entries: () => store.entries(),
            close: () => store.close(),
            batch: (operations, options) =>
              isBroken ? Promise.reject(new EnvError('IO', 'gone')) : store.batch(operations, options),
          };
        },
        disk: {
          ...world().disk,
          rename: async (from, to) => {
            await world().disk.rename(from, to);
            isBroken = true;
          },
        },
      };
      const second = await LogDirectory.open(broken, path, OWNER);
      await expect(second[remove]('t', 0)).rejects.toMatchObject({ code: 'IO' });
      await second.close(false, -1);
      expect(await readdir(path)).not.toContain('t-0');
      const third = await LogDirectory.open(world(), path, OWNER);
      expect((await third.openLog('t', T1, 0, CONFIG)).logEndOffset).toBe(0);
      await third.close(true, -1);
    },
  );
});
