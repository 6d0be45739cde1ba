import { appendFile, mkdir, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32c } from '../../../src/codec/crc32c.ts';
import type { Disk } from '../../../src/env/disk.ts';
import { IndexMemory } from '../../../src/log/index-memory.ts';
import { LogDirectory } from '../../../src/log/log-directory.ts';
import { carriedOver, decodeLogSummary, encodeLogSummary } from '../../../src/log/log-summary.ts';
import type { PartitionLog } from '../../../src/log/partition-log.ts';
import { writeMetaProperties } from '../../../src/log/storage.ts';
import { createDisk } from '../../../src/node/disk.ts';
import { openStore } from '../../../src/node/store.ts';
import { DATA, SimWorld } from '../../prop/log/sim-world.ts';
import { batch, CONFIG, deps, tempFolder } from './fixture.ts';

const CLUSTER = '4L6g3nShT-eMCtK--X86sw';
const TOPIC = 'AAAAAAAAAAAAAAAAAAAAAQ';
const META = { clusterId: CLUSTER, nodeId: 3, directoryId: 'q1Sh-9_ISia_zwGINzRvyQ', version: 1 } as const;
const OWNER = { nodeId: 3 };
const MARKER = '.kafka_cleanshutdown';
const SMALL = { ...CONFIG, segmentBytes: 1000 };

async function formatted(): Promise<string> {
  const path = await tempFolder();
  await writeMetaProperties(createDisk(), path, META);
  return path;
}

function opened(path: string, events: string[] = [], disk: Disk = createDisk()): Promise<LogDirectory> {
  return LogDirectory.open({ ...deps(events), disk, openStore }, path, OWNER);
}

/** Producer 1 writes a batch of two records with each sequence that is given. */
function write(log: PartitionLog, sequences: readonly number[]): void {
  for (const baseSequence of sequences) {
    const records = { count: 2, bytes: 100, timestamp: 1000 + baseSequence };
    log.append(batch({ ...records, producerId: 1, producerEpoch: 0, baseSequence }), 0);
  }
}

/** A directory that was closed cleanly, with one log of ten batches in several segments. */
async function closed(path: string): Promise<void> {
  const directory = await opened(path);
  const log = await directory.openLog('t', TOPIC, 0, SMALL);
  await log.assignEpoch(0);
  write(log, [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
  expect(await directory.close(true, 7)).toBe(true);
}

async function logFiles(path: string): Promise<string[]> {
  const names = await readdir(`${path}/t-0`);
  return names.filter((name) => name.endsWith('.log')).map((name) => `${path}/t-0/${name}`);
}

/** Notes what is done to every path below a partition's folder. */
function watched(touched: string[]): Disk {
  const disk = createDisk();
  const note = (path: string, how: string): void => {
    if (path.includes('/t-')) touched.push(`${how} ${path}`);
  };
  return new Proxy(disk, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') return method;
      return (...args: unknown[]) => {
        note(String(args[0]), String(name));
        return Reflect.apply(method, target, args) as unknown;
      };
    },
  });
}

describe('after a clean stop', () => {
  test('opening, leading of a known epoch, and stopping again look at the size of one file of the log', async () => {
    const path = await formatted();
    await closed(path);
    for (let life = 0; life < 3; life++) {
      const touched: string[] = [];
      const directory = await opened(path, [], watched(touched));
      expect(directory.partitions()).toEqual([{ topic: 't', partition: 0, topicId: TOPIC }]);
      const log = await directory.openLog('t', TOPIC, 0, SMALL);
      expect([log.isWarm, log.logStartOffset, log.logEndOffset, log.flushedEndOffset]).toEqual([false, 0, 20, 20]);
      expect(log.epochs.entries).toEqual([{ epoch: 0, startOffset: 0 }]);
      await log.assignEpoch(0);
      await log.flush();
      expect(await directory.close(true, 7)).toBe(true);
      expect(touched).toEqual([`fileSize ${(await logFiles(path)).at(-1)}`]);
    }
  });

  test('a log that nobody opens in one life is cold in the next', async () => {
    const path = await formatted();
    await closed(path);
    await (await opened(path)).close(true, 8);
    const touched: string[] = [];
    const directory = await opened(path, [], watched(touched));
    expect((await directory.openLog('t', TOPIC, 0, SMALL)).isWarm).toBe(false);
    expect(touched).toEqual([`fileSize ${(await logFiles(path)).at(-1)}`]);
    await directory.close(true, 9);
  });

  test('a producer snapshot that is gone is made up for by the batches, and no failure of the log dir', async () => {
    const path = await formatted();
    await closed(path);
    const names = (await readdir(`${path}/t-0`)).filter((name) => name.endsWith('.snapshot'));
    await rm(`${path}/t-0/${names.at(-1)}`);
    const directory = await opened(path);
    const log = await directory.openLog('t', TOPIC, 0, SMALL);
    await log.warm();
    expect([directory.health.failure, log.failure]).toEqual([undefined, undefined]);
    expect(log.producers.get(1)?.batches.map(({ firstSequence }) => firstSequence)).toEqual([10, 12, 14, 16, 18]);
    expect(await directory.close(true, 9)).toBe(true);
  });

  test('a cold log is read, by offset and by time, and it appends once it is warm: it knows its producers', async () => {
    const path = await formatted();
    await closed(path);
    const directory = await opened(path);
    const log = await directory.openLog('t', TOPIC, 0, SMALL);
    expect(() => write(log, [20])).toThrow('cold');
    expect((await log.read(0, 1 << 20, 20, false)).length).toBeGreaterThan(0);
    expect((await log.read(19, 1 << 20, 20, true)).length).toBeGreaterThan(0);
    expect(await log.offsetForTimestamp(1010, 20)).toMatchObject({ offset: 10, timestamp: 1010 });
    expect((await log.offsetOfMaxTimestamp(20))?.offset).toBe(18);
    expect(log.isWarm).toBe(false);
    await Promise.all([log.warm(), log.warm()]);
    const again = batch({ count: 2, bytes: 100, timestamp: 1018, producerId: 1, producerEpoch: 0, baseSequence: 18 });
    expect(log.append(again, 0)).toMatchObject({ kind: 'duplicate', baseOffset: 18 });
    write(log, [20]);
    expect(log.logEndOffset).toBe(22);
    await directory.close(true, 9);
  });

  test('a cold log is truncated, and is warm then', async () => {
    const path = await formatted();
    await closed(path);
    const directory = await opened(path);
    const log = await directory.openLog('t', TOPIC, 0, SMALL);
    await log.truncateTo(11);
    expect([log.logEndOffset, log.isWarm, log.producers.get(1)?.batches.at(-1)?.lastSequence]).toEqual([10, true, 9]);
    write(log, [10]);
    expect(await directory.close(true, 9)).toBe(true);
    const next = await opened(path);
    expect((await next.openLog('t', TOPIC, 0, SMALL)).logEndOffset).toBe(12);
    await next.close(true, 9);
  });

  test('a folder without a summary is opened from its files', async () => {
    const path = await formatted();
    await closed(path);
    await mkdir(`${path}/t-1`);
    await writeFile(`${path}/t-1/partition.metadata`, `version: 0\ntopic_id: ${TOPIC}\n`);
    const directory = await opened(path);
    expect(directory.partitions().map(({ partition }) => partition)).toEqual([0, 1]);
    const log = await directory.openLog('t', TOPIC, 1, SMALL);
    expect([log.isWarm, log.logEndOffset]).toEqual([true, 0]);
    await directory.close(true, 9);
  });

  test('D-10.2 a folder that is gone though records of it were durable is told, and not begun anew', async () => {
    const path = await formatted();
    await closed(path);
    await rm(`${path}/t-0`, { recursive: true });
    const directory = await opened(path);
    await expect(directory.openLog('t', TOPIC, 0, SMALL)).rejects.toMatchObject({ code: 'CORRUPT' });
    await directory.close(true, 9);
  });
});

describe('D-10.2 files that are not as the log was closed', () => {
  const changes: [string, (files: string[]) => Promise<void>, RegExp][] = [
    [
      'a batch in the last one says another offset',
      async (files) => {
        const path = files.at(-1) as string;
        const bytes = await readFile(path);
        bytes.writeBigInt64BE(5000n, 0);
        await writeFile(path, bytes);
      },
      /damaged|closed at/,
    ],
  ];
  for (const [what, change, message] of changes) {
    test(`${what}: the log is fenced with a sentence, and refused again at the next start`, async () => {
      const path = await formatted();
      await closed(path);
      await change(await logFiles(path));
      const events: string[] = [];
      const directory = await opened(path, events);
      const log = await directory.openLog('t', TOPIC, 0, SMALL);
      await expect(log.warm()).rejects.toMatchObject({
        code: 'CORRUPT',
        message: expect.stringMatching(message) as string,
      });
      expect([log.failure?.code, events]).toEqual(['CORRUPT', ['log-failed']]);
      expect(() => write(log, [20])).toThrow(expect.objectContaining({ code: 'CORRUPT' }));
      // The others of the directory are not to be checked for it.
      expect(await directory.close(true, 9)).toBe(true);
      const next = await opened(path);
      expect(next.cleanShutdownEpoch).toBe(9);
      const opening = next.openLog('t', TOPIC, 0, SMALL).then((again) => again.warm());
      await expect(opening).rejects.toMatchObject({ code: 'CORRUPT' });
      await next.close(true, 9);
    });
  }

  test.each([
    ['shorter', (file: string) => truncate(file, 100)],
    ['gone', (file: string) => rm(file)],
  ])('the last one is %s: the log is refused at every start', async (_, change) => {
    const path = await formatted();
    await closed(path);
    await change((await logFiles(path)).at(-1) as string);
    for (let start = 0; start < 2; start++) {
      const events: string[] = [];
      const directory = await opened(path, events);
      await expect(directory.openLog('t', TOPIC, 0, SMALL)).rejects.toMatchObject({
        code: 'CORRUPT',
        message: expect.stringMatching(/durable up to offset 20|is damaged at position 0/) as string,
      });
      if (start === 0) expect(events).toContain('log-changed-while-stopped');
      await directory.close(true, 9);
    }
  });

  test('the last one is longer: it is checked as after a crash', async () => {
    const path = await formatted();
    await closed(path);
    await appendFile((await logFiles(path)).at(-1) as string, 'more');
    const events: string[] = [];
    const directory = await opened(path, events);
    expect((await directory.openLog('t', TOPIC, 0, SMALL)).logEndOffset).toBe(20);
    expect(events).toEqual(expect.arrayContaining(['log-changed-while-stopped', 'log-recovered-with-cut']));
    expect(await directory.close(true, 9)).toBe(true);
  });

  test('it is the folder of a longer log, which was moved here: that log it is', async () => {
    const [path, other] = [await formatted(), await formatted()];
    await closed(path);
    const longer = await opened(other);
    const log = await longer.openLog('t', TOPIC, 0, SMALL);
    await log.assignEpoch(0);
    write(log, [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24]);
    await longer.close(true, 7);
    await rm(`${path}/t-0`, { recursive: true });
    await rename(`${other}/t-0`, `${path}/t-0`);
    const directory = await opened(path);
    expect((await directory.openLog('t', TOPIC, 0, SMALL)).logEndOffset).toBe(26);
    expect(await directory.close(true, 9)).toBe(true);
  });

  test('a sealed one is shorter: who reads it is told', async () => {
    const path = await formatted();
    await closed(path);
    await truncate((await logFiles(path))[0] as string, 100);
    const directory = await opened(path);
    const log = await directory.openLog('t', TOPIC, 0, SMALL);
    await expect(log.read(0, 1000, 20, true)).rejects.toMatchObject({ code: 'CORRUPT' });
    await directory.close(true, 9);
  });
});

describe('C-2.4 summaries count with the marker of the same start only', () => {
  test('a marker of an earlier start counts as none', async () => {
    const path = await formatted();
    await closed(path);
    const marker = await readFile(`${path}/${MARKER}`);
    await (await opened(path)).close(false, -1);
    await writeFile(`${path}/${MARKER}`, marker);
    const events: string[] = [];
    const directory = await opened(path, events);
    expect(directory.cleanShutdownEpoch).toBeUndefined();
    expect(events).toContain('clean-shutdown-of-another-start');
    expect((await directory.openLog('t', TOPIC, 0, SMALL)).isWarm).toBe(true);
    await directory.close(true, 9);
  });

  test('a summary that another start wrote is passed over', async () => {
    const path = await formatted();
    await closed(path);
    const store = await openStore(`${path}/checkpoints`);
    const key = Buffer.from(`summary/${TOPIC}/0`);
    const bytes = (await store.get(key)) as Buffer;
    await store.batch([{ type: 'put', key, value: carriedOver(bytes, 77) }], { sync: true });
    await store.close();
    const directory = await opened(path);
    const log = await directory.openLog('t', TOPIC, 0, SMALL);
    expect([directory.cleanShutdownEpoch, log.isWarm, log.logEndOffset]).toEqual([7, true, 20]);
    await directory.close(true, 9);
  });

  test('a crash anywhere in a clean stop loses nothing; a start is clean or checks the log', async () => {
    const found = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const world = new SimWorld(seed);
      await world.finish(writeMetaProperties(world.deps().disk, DATA, META));
      const directory = await world.finish(LogDirectory.open(world.deps(), DATA, OWNER));
      const log = await world.finish(directory.openLog('t', TOPIC, 0, SMALL));
      write(log, [0, 2, 4, 6, 8]);
      await world.finish(log.flush());
      void directory.close(true, 7);
      await world.pump(seed);
      world.crash('power-cut');
      const next = await world.finish(LogDirectory.open(world.deps(), DATA, OWNER));
      const again = await world.finish(next.openLog('t', TOPIC, 0, SMALL));
      expect(again.logEndOffset, `seed ${seed}`).toBe(10);
      expect(again.isWarm).toBe(next.cleanShutdownEpoch === undefined);
      found.add(`clean: ${next.cleanShutdownEpoch !== undefined}`);
      await world.finish(again.warm());
      write(again, [10]);
      await world.finish(next.close(true, 8));
    }
    expect([...found].sort()).toEqual(['clean: false', 'clean: true']);
  });
});

describe('a summary', () => {
  const offset = fc.oneof(fc.nat(300), fc.maxSafeNat());
  const max = fc.option(fc.record({ timestamp: fc.maxSafeInteger(), offset }), { nil: undefined });
  const summary = fc.record({
    topic: fc.stringMatching(/^[a-zA-Z0-9._-]{1,20}$/),
    logStartOffset: offset,
    logEndOffset: offset,
    epochs: fc.array(fc.record({ epoch: fc.nat(), startOffset: offset }), { maxLength: 4 }),
    segments: fc.array(fc.record({ baseOffset: offset, size: fc.nat(), max }), { minLength: 1, maxLength: 4 }),
    snapshots: fc.array(offset, { maxLength: 3 }),
  });

  test('is read as it was written, by the start that it is for', () => {
    fc.assert(
      fc.property(summary, fc.nat(), fc.nat(), (written, boot, later) => {
        const bytes = encodeLogSummary(written, boot);
        expect(decodeLogSummary(bytes, boot)).toEqual(written);
        expect(decodeLogSummary(bytes, boot + 1)).toBeUndefined();
        expect(decodeLogSummary(carriedOver(bytes, later), later)).toEqual(written);
      }),
    );
  });

  test('that is damaged, or anything else, is none', () => {
    fc.assert(
      fc.property(summary, fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), (written, boot, at, flip) => {
        const bytes = encodeLogSummary(written, boot);
        bytes[at % bytes.length] = (bytes[at % bytes.length] as number) ^ flip;
        expect(decodeLogSummary(bytes, boot)).toBeUndefined();
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (random) => {
        const bytes = Buffer.concat([Buffer.alloc(4), random]);
        bytes.writeUInt32BE(crc32c(bytes, 4), 0);
        // Whatever it says: it asks for no more than there is.
        decodeLogSummary(bytes, 0);
      }),
    );
  });
});

describe('memory of indexes', () => {
  async function logs(world: SimWorld, budget: number): Promise<PartitionLog[]> {
    await world.finish(writeMetaProperties(world.deps().disk, DATA, META));
    const simulated = world.deps();
    const shared = { ...simulated.shared, indexes: new IndexMemory(budget) };
    const directory = await world.finish(LogDirectory.open({ ...simulated, shared }, DATA, OWNER));
    return Promise.all([0, 1].map((partition) => world.finish(directory.openLog('t', TOPIC, partition, SMALL))));
  }

  test('is given back by logs that nobody appends to, which are warm again when somebody does', async () => {
    const world = new SimWorld(1);
    const [idle, busy] = (await logs(world, 0)) as [PartitionLog, PartitionLog];
    write(idle, [0, 2]);
    await world.finish(idle.flush());
    for (let i = 0; i < 20; i++) {
      while (!busy.isWarm) await world.finish(busy.warm());
      write(busy, [2 * i]);
      await world.finish(busy.flush());
      await world.finish(busy.read(0, 100, busy.logEndOffset, true));
      await world.finish(idle.read(0, 100, 4, true));
      await world.pump(200);
    }
    expect(idle.isWarm).toBe(false);
    while (!idle.isWarm) await world.finish(idle.warm());
    expect(idle.producers.get(1)?.batches.map(({ firstSequence }) => firstSequence)).toEqual([0, 2]);
    write(idle, [4]);
    expect(idle.logEndOffset).toBe(6);
  });

  test('is left to all where there is enough', async () => {
    const world = new SimWorld(1);
    const all = await logs(world, 1 << 20);
    for (const log of all) write(log, [0, 2, 4, 6, 8, 10, 12, 14]);
    for (const log of all) await world.finish(log.flush());
    await world.pump(100);
    expect(all.map(({ isWarm }) => isWarm)).toEqual([true, true]);
  });
});
