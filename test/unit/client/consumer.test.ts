import { afterEach, describe, expect, test } from 'vitest';
import { ClientError } from '../../../src/client/client-error.ts';
import { ClusterClient } from '../../../src/client/cluster.ts';
import type { Assignment, ConsumedRecord, ConsumerOptions, StartAt } from '../../../src/client/consumer.ts';
import { Consumer } from '../../../src/client/consumer.ts';
import { listOffset } from '../../../src/client/leader-call.ts';
import { buildBatch } from '../../../src/record/builder.ts';
import type { ScriptedPartition } from './scripted-cluster.ts';
import { ScriptedCluster, testDeps } from './scripted-cluster.ts';

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Setup {
  readonly cluster: ScriptedCluster;
  readonly client: ClusterClient;
  readonly partitions: ScriptedPartition[];
}

async function setup(leaders: readonly number[] = [1]): Promise<Setup> {
  const cluster = await new ScriptedCluster().start(1, 2);
  const partitions = cluster.addTopic('t', leaders);
  const client = new ClusterClient(testDeps(5), { bootstrap: [...cluster.addresses.values()], requestTimeoutMs: 5000 });
  cleanups.push(
    () => cluster.stop(),
    () => client.close(),
  );
  return { cluster, client, partitions };
}

/** Values as records, two to a batch, timestamps 10 times the offset. */
function fill(partition: ScriptedPartition | undefined, values: readonly string[]): void {
  if (partition === undefined) throw new Error('no partition');
  for (let i = 0; i < values.length; i += 2) {
    const from = partition.endOffset;
    const records = values.slice(i, i + 2).map((value, at) => {
      return { timestamp: (from + at) * 10, key: null, value: Buffer.from(value), headers: [] };
    });
    partition.append(buildBatch(records));
  }
}

function at(start: StartAt, partition = 0): Assignment {
  return { topic: 't', partition, start };
}

/** The next `count` records, or all if it ends before. */
async function take(records: AsyncGenerator<ConsumedRecord>, count = Infinity): Promise<ConsumedRecord[]> {
  const taken: ConsumedRecord[] = [];
  while (taken.length < count) {
    const next = await records.next();
    if (next.done) break;
    taken.push(next.value);
  }
  return taken;
}

function values(records: readonly ConsumedRecord[]): string[] {
  return records.map(({ value }) => value?.toString() ?? 'null');
}

async function readAll(client: ClusterClient, assignments: Assignment[], options: ConsumerOptions = {}) {
  return take(new Consumer(client, assignments, { maxWaitMs: 20, readToEnd: true, ...options }).records());
}

async function failure(promise: Promise<unknown>): Promise<ClientError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ClientError);
  return error as ClientError;
}

const LETTERS = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

describe('where to begin and to end', () => {
  test.each<[string, StartAt, string[]]>([
    ['the beginning', 'beginning', LETTERS],
    ['the end', 'end', []],
    ['an offset inside a batch', { offset: 3 }, ['d', 'e', 'f', 'g']],
    ['the end by offset', { offset: 7 }, []],
    ['a timestamp', { timestamp: 41 }, ['f', 'g']],
    ['a timestamp beyond all', { timestamp: 1000 }, []],
  ])('%s', async (_what, start, expected) => {
    const { client, partitions } = await setup();
    fill(partitions[0], LETTERS);
    const records = await readAll(client, [at(start)]);
    expect(values(records)).toEqual(expected);
    for (const { offset, value } of records) expect(LETTERS[offset]).toBe(value?.toString());
  });

  test('the end is the one that was there at the start', async () => {
    const { cluster, client, partitions } = await setup();
    fill(partitions[0], LETTERS);
    cluster.script = (_broker, api) => {
      if (api === 'Fetch') fill(partitions[0], ['more', 'and more']);
      return undefined;
    };
    expect(values(await readAll(client, [at('beginning')], { partitionMaxBytes: 1 }))).toEqual(LETTERS);
  });

  test('offsets by time, start and end', async () => {
    const { client, partitions } = await setup();
    fill(partitions[0], LETTERS);
    expect(await listOffset(client, 't', 0, -1)).toMatchObject({ offset: 7 });
    expect(await listOffset(client, 't', 0, -2)).toMatchObject({ offset: 0 });
    expect(await listOffset(client, 't', 0, 25)).toMatchObject({ offset: 3, timestamp: 30 });
    const error = await failure(listOffset(client, 't', 5, -1));
    expect(error.message).toBe('topic t has partitions 0 to 0, not 5');
  });
});

describe('reading on', () => {
  test('several partitions of two leaders, each in order, whatever the answers hold', async () => {
    for (const partitionMaxBytes of [1, 150, 100_000]) {
      const { client, partitions } = await setup([1, 2, 1]);
      for (const [i, partition] of partitions.entries())
        fill(
          partition,
          LETTERS.map((letter) => `${letter}${i}`),
        );
      const records = await readAll(client, [at('beginning', 0), at('beginning', 1), at({ offset: 5 }, 2)], {
        partitionMaxBytes,
      });
      for (const [i, from] of [0, 0, 5].entries()) {
        const own = records.filter(({ partition }) => partition === i);
        expect(values(own)).toEqual(LETTERS.slice(from).map((letter) => `${letter}${i}`));
      }
    }
  });

  test('waits for records to come', async () => {
    const { cluster, client, partitions } = await setup();
    const records = new Consumer(client, [at('end')], { maxWaitMs: 10_000 }).records();
    const first = take(records, 2);
    await expect.poll(() => cluster.requests.some(({ api }) => api === 'Fetch')).toBe(true);
    fill(partitions[0], ['x', 'y']);
    cluster.wakeFetches();
    expect(values(await first)).toEqual(['x', 'y']);
    await records.return();
  });

  test('follows the leader, and tells which one wrote', async () => {
    const { client, partitions } = await setup();
    const partition = partitions[0] as ScriptedPartition;
    fill(partition, ['a', 'b']);
    const records = new Consumer(client, [at('beginning')], { maxWaitMs: 20 }).records();
    expect(values(await take(records, 2))).toEqual(['a', 'b']);
    Object.assign(partition, { leader: 2, leaderEpoch: 1 });
    fill(partition, ['c']);
    const [next] = await take(records, 1);
    expect(next).toMatchObject({ offset: 2, leaderEpoch: 1 });
    await records.return();
  });

  test('a lost connection and a passing error delay, and lose nothing', async () => {
    const { cluster, client, partitions } = await setup();
    fill(partitions[0], LETTERS);
    let fetches = 0;
    cluster.script = (_broker, api) => {
      if (api !== 'Fetch') return undefined;
      fetches++;
      if (fetches === 2) return { kind: 'cut' };
      return fetches === 3 ? { kind: 'refuse', error: 'OFFSET_NOT_AVAILABLE' } : undefined;
    };
    expect(values(await readAll(client, [at('beginning')], { partitionMaxBytes: 1 }))).toEqual(LETTERS);
    expect(fetches).toBeGreaterThan(4);
  });

  test('close ends a fetch that waits', async () => {
    const { cluster, client } = await setup();
    const consumer = new Consumer(client, [at('end')], { maxWaitMs: 60_000 });
    const all = take(consumer.records());
    await expect.poll(() => cluster.requests.some(({ api }) => api === 'Fetch')).toBe(true);
    consumer.close();
    expect(await all).toEqual([]);
  });
});

describe('what is not there', () => {
  test('an offset out of range is an error, or a new beginning', async () => {
    const { client, partitions } = await setup();
    fill(partitions[0], LETTERS);
    const error = await failure(readAll(client, [at({ offset: 9 })], { readToEnd: false }));
    expect(error).toMatchObject({ code: 'BROKER_ERROR', kafkaError: 'OFFSET_OUT_OF_RANGE' });
    Object.assign(partitions[0] as ScriptedPartition, { startOffset: 4 });
    expect(values(await readAll(client, [at({ offset: 1 })], { outOfRange: 'beginning' }))).toEqual(['e', 'f', 'g']);
  });

  test('the beginning is where the log begins when the first records are read', async () => {
    const { cluster, client, partitions } = await setup();
    fill(partitions[0], LETTERS);
    cluster.script = (_broker, api) => {
      if (api === 'Fetch') Object.assign(partitions[0] as ScriptedPartition, { startOffset: 4 });
      return undefined;
    };
    expect(values(await readAll(client, [at('beginning')]))).toEqual(['e', 'f', 'g']);
  });

  test('a log that was cut below what was read is an error', async () => {
    const { client, partitions } = await setup();
    fill(partitions[0], ['a', 'b']);
    const records = new Consumer(client, [at('beginning')], { maxWaitMs: 20 }).records();
    await take(records, 2);
    Object.assign(partitions[0] as ScriptedPartition, { diverging: { epoch: 0, endOffset: 1 } });
    expect(await failure(records.next())).toMatchObject({ code: 'LOG_TRUNCATED' });
  });

  test('another topic of the same name is an error', async () => {
    const { cluster, client, partitions } = await setup();
    fill(partitions[0], ['a', 'b']);
    const records = new Consumer(client, [at('beginning')], { maxWaitMs: 20 }).records();
    await take(records, 2);
    cluster.addTopic('t', [1], 'anotherTopicOfThatNamA');
    expect(await failure(records.next())).toMatchObject({ code: 'TOPIC_RECREATED' });
  });

  test('damaged records are an error', async () => {
    const { client, partitions } = await setup();
    fill(partitions[0], ['aaaa']);
    const batch = (partitions[0] as ScriptedPartition).batches[0] as Buffer;
    batch.writeUInt8(batch.readUInt8(batch.length - 2) ^ 1, batch.length - 2);
    const error = await failure(readAll(client, [at('beginning')]));
    expect(error).toMatchObject({ code: 'BAD_RESPONSE' });
    expect(error.message).toContain('t-0');
    expect(await readAll(client, [at('beginning')], { checkCrcs: false })).toHaveLength(1);
  });

  test('an unknown topic', async () => {
    const { client } = await setup();
    const consumer = new Consumer(client, [{ topic: 'missing', partition: 0, start: 'end' }]);
    cleanups.push(() => consumer.close());
    const records = consumer.records();
    const next = failure(records.next());
    client.close();
    expect((await next).code).toBe('CLOSED');
  });
});
