// What a partition log does for whoever uses it, on whatever disk: the same on the real and on the simulated one.
import { describe, expect, it } from 'vitest';
import { NO_OVERRIDES } from '../../src/config/in-force.ts';
import type { NodeValues } from '../../src/config/node-keys.ts';
import { NODE_KEYS } from '../../src/config/node-keys.ts';
import { topicDefaults } from '../../src/config/topic-config.ts';
import { LogDirectory } from '../../src/log/log-directory.ts';
import { createLogShared } from '../../src/log/log-shared.ts';
import type { LogConfig } from '../../src/log/log-state.ts';
import type { PartitionLog } from '../../src/log/partition-log.ts';
import { writeMetaProperties } from '../../src/log/storage.ts';
import type { BatchHeader } from '../../src/record/batch.ts';
import type { BatchOptions } from '../../src/record/builder.ts';
import { buildBatch } from '../../src/record/builder.ts';
import { splitBatches } from '../../src/record/scan.ts';
import type { Harness, World } from './harness.ts';
import { rejectionOf } from './harness.ts';

const META = {
  clusterId: 'AAAAAAAAAAAAAAAAAAAAAg',
  directoryId: 'AAAAAAAAAAAAAAAAAAAAAw',
  nodeId: 1,
  version: 1,
} as const;
const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ';

const VALUES = Object.fromEntries(
  Object.entries(NODE_KEYS).map(([name, key]) => [name, key.default]),
) as unknown as NodeValues;

const CONFIG: LogConfig = {
  ...topicDefaults({ broker: NO_OVERRIDES, cluster: NO_OVERRIDES }, VALUES),
  segmentBytes: 500,
};

function batch(count: number, timestamp = 1000, options: BatchOptions = {}): Buffer {
  const records = Array.from({ length: count }, (_, i) => ({
    timestamp,
    key: Buffer.from(`k${i}`),
    value: Buffer.alloc(100, 0x61),
    headers: [],
  }));
  return buildBatch(records, options);
}

/** One partition's log in a formatted directory, through as many starts as a test wants. */
class Place {
  readonly #world: World;
  #directory: LogDirectory | undefined;
  #log: PartitionLog | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  get directory(): LogDirectory {
    return this.#directory as LogDirectory;
  }

  get log(): PartitionLog {
    return this.#log as PartitionLog;
  }

  async open(config: Partial<LogConfig> = {}, maxOpenFiles = 500): Promise<PartitionLog> {
    const shared = createLogShared({ ...VALUES, 'log.max.open.files': maxOpenFiles });
    this.#directory = await LogDirectory.open({ ...this.#world.env, shared }, this.#world.directory, { nodeId: 1 });
    this.#log = await this.#directory.openLog('t', TOPIC_ID, 0, { ...CONFIG, ...config });
    await this.#log.warm();
    return this.#log;
  }

  async again(clean: boolean): Promise<PartitionLog> {
    expect(await this.directory.close(clean, 5)).toBe(clean);
    return this.open();
  }

  /** Warms the log if it must be, as who appends does. */
  async append(bytes: Buffer, epoch = 0) {
    await this.log.warm();
    return this.log.append(bytes, epoch);
  }

  async readAll(from = this.log.logStartOffset, maxBytes = 10_000): Promise<BatchHeader[]> {
    const found: BatchHeader[] = [];
    for (let offset = from; offset < this.log.logEndOffset; ) {
      const batches = [...splitBatches(await this.log.read(offset, maxBytes, this.log.logEndOffset, true))];
      expect(batches.length).toBeGreaterThan(0);
      found.push(...batches);
      offset = (batches.at(-1) as BatchHeader).nextOffset;
    }
    return found;
  }

  files(): Promise<string[]> {
    return this.#world.env.disk
      .list(`${this.#world.directory}/t-0`)
      .then((entries) => entries.map(({ name }) => name).filter((name) => /^\d{20}\.log$/.test(name)));
  }
}

export function logSuite(name: string, harness: Harness): void {
  const place = (body: (place: Place) => Promise<void>) => () =>
    harness.run(async (world) => {
      await writeMetaProperties(world.env.disk, world.directory, META);
      const one = new Place(world);
      await one.open();
      await body(one);
      await one.directory.close(true, 5);
    });

  describe(`${name} log: records`, () => {
    it(
      'assigns offsets and epochs, and gives back the bytes that it stored',
      place(async (at) => {
        const batches = [batch(2), batch(1), batch(3)];
        let end = 0;
        for (const [i, bytes] of batches.entries()) {
          const result = await at.append(bytes, i);
          expect(result).toMatchObject({ kind: 'appended', baseOffset: end });
          end = at.log.logEndOffset;
        }
        expect(end).toBe(6);
        const read = await at.readAll();
        expect(read.map((one) => [one.baseOffset, one.lastOffset, one.partitionLeaderEpoch])).toEqual([
          [0, 1, 0],
          [2, 2, 1],
          [3, 5, 2],
        ]);
        expect(Buffer.concat(read.map(({ bytes }) => bytes)).equals(Buffer.concat(batches))).toBe(true);
      }),
    );

    it(
      'reads whole batches, from the middle of one on, below an end, and one at least if asked',
      place(async (at) => {
        for (let i = 0; i < 3; i++) await at.append(batch(2));
        const offsets = async (...args: [number, number, number, boolean]): Promise<number[]> =>
          [...splitBatches(await at.log.read(...args))].map(({ baseOffset }) => baseOffset);
        expect(await offsets(1, 1, 6, true)).toEqual([0]);
        expect(await offsets(1, 1, 6, false)).toEqual([]);
        expect(await offsets(0, 10_000, 3, true)).toEqual([0]);
        expect(await offsets(0, 10_000, 1, true)).toEqual([]);
        expect(await offsets(6, 10_000, 6, true)).toEqual([]);
      }),
    );

    it(
      'copies what a follower gets, with the offsets and epochs of the leader',
      place(async (at) => {
        const first = batch(2, 1, { baseOffset: 0, partitionLeaderEpoch: 3 });
        const second = batch(1, 1, { baseOffset: 2, partitionLeaderEpoch: 4 });
        at.log.appendAsFollower(Buffer.concat([first, second]));
        expect(at.log.logEndOffset).toBe(3);
        expect(at.log.epochs.entries).toEqual([
          { epoch: 3, startOffset: 0 },
          { epoch: 4, startOffset: 2 },
        ]);
        expect(at.log.endOffsetFor(3)).toEqual({ epoch: 3, endOffset: 2 });
      }),
    );

    it(
      'knows the last batches of a producer, also after starts of both kinds (T-1.2, T-3.1)',
      place(async (at) => {
        const sent = (sequence: number) => batch(1, 1, { producerId: 9, producerEpoch: 0, baseSequence: sequence });
        for (let sequence = 0; sequence < 7; sequence++) await at.append(sent(sequence));
        for (const clean of [true, false, true]) {
          await at.again(clean);
          expect(await at.append(sent(3))).toMatchObject({ kind: 'duplicate', baseOffset: 3, lastOffset: 3 });
          expect(await at.append(sent(9))).toEqual({ kind: 'refused', error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' });
        }
        expect(at.log.logEndOffset).toBe(7);
      }),
    );

    it(
      'finds records by time',
      place(async (at) => {
        for (const time of [10, 30, 20, 40]) await at.append(batch(2, time));
        for (const [time, offset] of [
          [5, 0],
          [11, 2],
          [31, 6],
          [41, undefined],
        ] as const) {
          expect((await at.log.offsetForTimestamp(time, 8))?.offset).toBe(offset);
        }
        expect(await at.log.offsetOfMaxTimestamp(8)).toMatchObject({ offset: 6, timestamp: 40 });
      }),
    );
  });

  describe(`${name} log: segments`, () => {
    it(
      'rolls when a segment is full; one flush makes all of it durable',
      place(async (at) => {
        for (let i = 0; i < 12; i++) await at.append(batch(2));
        expect((await at.files()).length).toBeGreaterThan(5);
        await Promise.all([at.log.flush(), at.log.flush()]);
        expect(at.log.flushedEndOffset).toBe(24);
        expect((await at.readAll(0, 300)).map(({ baseOffset }) => baseOffset)).toEqual(
          Array.from({ length: 12 }, (_, i) => 2 * i),
        );
      }),
    );

    it(
      'has all of it after a clean start and after one without a marker',
      place(async (at) => {
        for (let i = 0; i < 8; i++) await at.append(batch(2), i < 4 ? 1 : 2);
        await at.log.flush();
        for (const clean of [true, false]) {
          await at.again(clean);
          expect(at.directory.cleanShutdownEpoch).toBe(clean ? 5 : undefined);
          expect(at.log.logEndOffset).toBe(16);
          expect(at.log.endOffsetFor(1)).toEqual({ epoch: 1, endOffset: 8 });
          expect(await at.readAll()).toHaveLength(8);
        }
      }),
    );

    it(
      'is truncated to an offset and goes on from there, also after a start (D-3.6, D-1.3)',
      place(async (at) => {
        for (let i = 0; i < 8; i++) await at.append(batch(2), i < 3 ? 1 : 2);
        await at.log.truncateTo(7);
        expect(at.log.logEndOffset).toBe(6);
        expect(at.log.epochs.entries).toEqual([{ epoch: 1, startOffset: 0 }]);
        expect(await at.append(batch(1), 3)).toMatchObject({ baseOffset: 6 });
        await at.log.flush();
        await at.again(false);
        expect((await at.readAll()).map(({ baseOffset }) => baseOffset)).toEqual([0, 2, 4, 6]);
      }),
    );

    it(
      'begins where records were deleted, keeps what is above, and does not go back (D-9.1, D-9.2)',
      place(async (at) => {
        for (let i = 0; i < 8; i++) await at.append(batch(2));
        const before = (await at.files()).length;
        await at.log.advanceLogStart(9);
        await at.log.advanceLogStart(3);
        expect(at.log.logStartOffset).toBe(9);
        expect((await at.files()).length).toBeLessThan(before);
        for (const clean of [false, true]) {
          await at.again(clean);
          expect(at.log.logStartOffset).toBe(9);
          expect((await at.readAll()).map(({ baseOffset }) => baseOffset)).toEqual([8, 10, 12, 14]);
        }
      }),
    );

    it(
      'lets go of what is old or too much, below the high watermark alone (D-9.2)',
      place(async (at) => {
        for (let i = 0; i < 8; i++) await at.append(batch(2, 10 * i));
        at.log.updateConfig({ ...CONFIG, cleanupPolicy: 'delete', retentionMs: 5, retentionBytes: -1 });
        await at.log.retain({ highWatermark: 7, nowMs: 1000 });
        const start = at.log.logStartOffset;
        expect(start).toBeGreaterThan(0);
        expect(start).toBeLessThanOrEqual(7);
        at.log.updateConfig({ ...CONFIG, cleanupPolicy: 'delete', retentionMs: -1, retentionBytes: 600 });
        await at.log.retain({ highWatermark: 16, nowMs: 0 });
        expect(at.log.logStartOffset).toBeGreaterThan(start);
        expect(await at.readAll()).not.toHaveLength(0);
      }),
    );

    it(
      'serves readers, appends and flushes at once with few files open',
      place(async (at) => {
        await at.directory.close(true, 5);
        await at.open({}, 16);
        for (let i = 0; i < 60; i++) await at.append(batch(2));
        const readers = Array.from({ length: 8 }, () => at.readAll(0, 1));
        for (let i = 0; i < 60; i++) {
          await at.append(batch(1));
          if (i % 7 === 0) await at.log.flush();
        }
        for (const read of await Promise.all(readers)) expect(read.length).toBeGreaterThanOrEqual(60);
        expect(await at.readAll()).toHaveLength(120);
      }),
    );
  });

  describe(`${name} log: directory`, () => {
    it(
      'is locked, and refuses what is closed',
      place(async (at) => {
        const { directory, log } = at;
        expect(String(await rejectionOf(at.open()))).toContain('in use');
        expect(await directory.close(true, 5)).toBe(true);
        await expect(log.flush()).rejects.toMatchObject({ code: 'CLOSED' });
        await expect(directory.openLog('t', TOPIC_ID, 0, CONFIG)).rejects.toMatchObject({ code: 'CLOSED' });
        await at.open();
      }),
    );

    it(
      'counts its starts, removes a partition for good, and moves one aside with its bytes',
      place(async (at) => {
        const { bootCounter } = at.directory;
        await at.append(batch(2));
        await at.directory.removeLog('t', 0);
        expect(at.directory.partitions()).toEqual([]);
        await at.again(true);
        expect(at.directory.bootCounter).toBeGreaterThan(bootCounter);
        expect(at.log.logEndOffset).toBe(0);
        await at.append(batch(1));
        expect(await at.directory.moveAside('t', 0)).toContain('-stray');
        await at.again(true);
        expect(at.log.logEndOffset).toBe(0);
      }),
    );
  });
}
