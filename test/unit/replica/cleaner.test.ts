// Compaction in the background, on a simulated disk: which logs and when, what is told, and what a failure does.
import { describe, expect, test } from 'vitest';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import { buildBatch } from '../../../src/record/builder.ts';
import { decodeRecords } from '../../../src/record/record.ts';
import { splitBatches } from '../../../src/record/scan.ts';
import { appendToPartition } from '../../../src/replica/append.ts';
import type { Partition } from '../../../src/replica/partition.ts';
import { uuid } from '../metadata/fixture.ts';
import type { Replicas } from './bench.ts';
import { config, topic, withReplicas } from './bench.ts';

const [A, B] = [uuid(60), uuid(61)];
const BACKOFF_MS = 1000;
const KEYS = {
  'log.cleaner.backoff.ms': String(BACKOFF_MS),
  'log.segment.bytes': '700',
  'log.cleanup.policy': 'compact',
};
const ofTopic = (name: string, key: string, value: string) => config(ConfigScope.TOPIC, name, key, value);

/** Appends one record for each key. */
async function append(partition: Partition, keys: readonly string[]): Promise<void> {
  await partition.log.warm();
  for (const key of keys) {
    const record = { timestamp: 1000, key: Buffer.from(key), value: Buffer.alloc(100, 0x61), headers: [] };
    appendToPartition(partition, buildBatch([record]), 1);
  }
  await partition.acknowledged(partition.log.logEndOffset, -1);
}

async function served(replicas: Replicas, name: string, id: string, keys: readonly string[]): Promise<Partition> {
  replicas.commit(...topic(name, id));
  const partition = await replicas.partition(id);
  await append(partition, keys);
  return partition;
}

function pause({ env }: Replicas, ms: number): Promise<void> {
  return new Promise((resolve) => {
    env.clock.schedule(ms, resolve);
  });
}

function told({ world }: Replicas) {
  return world.log
    .lines()
    .filter(({ event }) => /compacted|uncleanable/.test(event))
    .map(({ event, fields }) => [event, fields['topic']]);
}

async function keysOf({ log }: Partition): Promise<string[]> {
  const keys: string[] = [];
  for (let at = 0; at < log.logEndOffset; ) {
    for (const batch of splitBatches(await log.read(at, 1 << 20, log.logEndOffset, true))) {
      keys.push(...decodeRecords(batch).map(({ key }) => String(key)));
      at = batch.nextOffset;
    }
  }
  return keys;
}

const SAME = Array.from({ length: 12 }, () => 'k');

describe('the cleaner', () => {
  test('D-9.4 compacts what is dirty enough, tells it, and finds nothing more to do then', async () => {
    await withReplicas(
      async (replicas) => {
        const partition = await served(replicas, 'a', A, [...SAME, 'other', ...SAME]);
        await pause(replicas, 1.5 * BACKOFF_MS);
        const lines = replicas.world.log.lines().filter(({ event }) => event === 'log-compacted');
        expect(lines.map(({ fields }) => fields)).toEqual([
          expect.objectContaining({
            topic: 'a',
            partition: 0,
            startOffset: 0,
            keys: 2,
            ms: expect.any(Number) as number,
          }),
        ]);
        const fields = lines[0]?.fields as Record<string, number>;
        expect(fields['bytesAfter']).toBeLessThan(fields['bytesBefore'] as number);
        expect(fields['recordsAfter']).toBeLessThan(fields['recordsBefore'] as number);
        expect((await keysOf(partition)).filter((key) => key === 'other')).toHaveLength(1);
        expect((await keysOf(partition)).length).toBeLessThan(12);
        await pause(replicas, 3 * BACKOFF_MS);
        expect(told(replicas)).toHaveLength(1);
      },
      { keys: KEYS },
    );
  });

  test('takes the dirtiest first, leaves those below min.cleanable.dirty.ratio, and topics that are not compacted', async () => {
    await withReplicas(
      async (replicas) => {
        const half = await served(replicas, 'a', A, SAME);
        await pause(replicas, 1.5 * BACKOFF_MS);
        replicas.commit(...topic('c', uuid(62)), ofTopic('c', 'cleanup.policy', 'delete'));
        await append(await replicas.partition(uuid(62)), SAME);
        // Of the first log only what was appended since is dirty, of the second one all.
        await append(half, ['x1', 'x2', 'x3', 'x4', 'x5', 'x6', 'x7', 'x8', 'x9', 'x10', 'x11', 'x12']);
        await served(replicas, 'b', B, SAME);
        await pause(replicas, BACKOFF_MS);
        expect(told(replicas)).toEqual([
          ['log-compacted', 'a'],
          ['log-compacted', 'b'],
          ['log-compacted', 'a'],
        ]);
        replicas.commit(ofTopic('a', 'min.cleanable.dirty.ratio', '0.9'));
        await append(half, ['y1', 'y2', 'y3', 'y4', 'y5', 'y6']);
        await pause(replicas, 2 * BACKOFF_MS);
        expect(told(replicas)).toHaveLength(3);
        replicas.commit(ofTopic('a', 'max.compaction.lag.ms', '1'));
        await pause(replicas, 2 * BACKOFF_MS);
        expect(told(replicas)).toHaveLength(4);
      },
      { keys: KEYS },
    );
  });

  test('with log.cleaner.enable=false nothing is compacted', async () => {
    await withReplicas(
      async (replicas) => {
        const partition = await served(replicas, 'a', A, SAME);
        await pause(replicas, 5 * BACKOFF_MS);
        expect(await keysOf(partition)).toEqual(SAME);
      },
      { keys: { ...KEYS, 'log.cleaner.enable': 'false' } },
    );
  });

  test('is held to log.cleaner.io.max.bytes.per.second', async () => {
    await withReplicas(
      async (replicas) => {
        await served(replicas, 'a', A, SAME);
        // About 1500 bytes are read twice, and some are written.
        await pause(replicas, BACKOFF_MS + 20_000);
        expect(told(replicas)).toEqual([]);
        await pause(replicas, 40_000);
        expect(told(replicas)).toEqual([['log-compacted', 'a']]);
      },
      { keys: { ...KEYS, 'log.cleaner.io.max.bytes.per.second': '100' } },
    );
  });

  test('a damaged log is left alone and serves, the others are compacted', async () => {
    await withReplicas(
      async (replicas) => {
        const damaged = await served(replicas, 'a', A, SAME);
        await append(await served(replicas, 'b', B, SAME), SAME);
        const path = '/data/a-0/00000000000000000000.log';
        const file = await replicas.env.disk.open(path, 'update');
        file.write([Buffer.from('rot')], 200);
        await file.sync();
        await file.close();
        await pause(replicas, 4 * BACKOFF_MS);
        expect(told(replicas)).toEqual(
          expect.arrayContaining([
            ['log-uncleanable', 'a'],
            ['log-compacted', 'b'],
          ]),
        );
        expect(told(replicas).filter(([, name]) => name === 'a')).toEqual([['log-uncleanable', 'a']]);
        expect(damaged.failure).toBeUndefined();
        await append(damaged, ['more']);
        const names = (await replicas.env.disk.list('/data/a-0')).map(({ name }) => name);
        expect(names.filter((name) => /cleaned|swap/.test(name))).toEqual([]);
      },
      { keys: KEYS },
    );
  });

  test('a full disk is waited for: the partition serves, no half file is left, and later it is compacted', async () => {
    await withReplicas(
      async (replicas) => {
        const partition = await served(replicas, 'a', A, SAME);
        const { disk } = replicas.world.process('host');
        disk.failNext('write', '.cleaned', 1, 'NO_SPACE');
        await pause(replicas, 1.5 * BACKOFF_MS);
        expect(told(replicas)).toEqual([['log-not-compacted', 'a']]);
        expect(partition.failure).toBeUndefined();
        const names = (await replicas.env.disk.list('/data/a-0')).map(({ name }) => name);
        expect(names.filter((name) => /cleaned|swap/.test(name))).toEqual([]);
        await append(partition, ['more']);
        await pause(replicas, BACKOFF_MS);
        expect(told(replicas)).toEqual([
          ['log-not-compacted', 'a'],
          ['log-compacted', 'a'],
        ]);
      },
      { keys: KEYS },
    );
  });
});
