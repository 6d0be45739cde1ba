import { afterEach, describe, expect, test } from 'vitest';
import { KeyedRandom } from '../../../src/base/keyed-random.ts';
import { ClusterClient } from '../../../src/client/cluster.ts';
import { ProduceError } from '../../../src/client/produce-error.ts';
import type { OutgoingMessage, ProducerOptions } from '../../../src/client/producer.ts';
import { Producer } from '../../../src/client/producer.ts';
import { BatchHeader } from '../../../src/record/batch.ts';
import type { Bend, ScriptedPartition } from './scripted-cluster.ts';
import { ScriptedCluster, testDeps } from './scripted-cluster.ts';

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Setup {
  readonly cluster: ScriptedCluster;
  readonly partitions: ScriptedPartition[];
  readonly producer: Producer;
}

/** Brokers 1 and 2, topic `t` led by `leaders`. */
async function setup(
  options: ProducerOptions = {},
  leaders: readonly number[] = [1],
  deps = testDeps(5),
): Promise<Setup> {
  const cluster = await new ScriptedCluster().start(1, 2);
  const partitions = cluster.addTopic('t', leaders);
  const client = new ClusterClient(deps, {
    bootstrap: [...cluster.addresses.values()],
    requestTimeoutMs: 5000,
  });
  cleanups.push(
    () => cluster.stop(),
    () => client.close(),
  );
  return { cluster, partitions, producer: new Producer(client, options) };
}

/** Bends the produce requests by their number, counted from 0. */
function bendProduce(cluster: ScriptedCluster, bends: Readonly<Record<number, Bend>>): { count: number } {
  const seen = { count: 0 };
  cluster.script = (_broker, api) => (api === 'Produce' ? bends[seen.count++] : undefined);
  return seen;
}

function message(value: string, more: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return { topic: 't', partition: 0, value: Buffer.from(value), ...more };
}

/** Each in a batch of its own, all sent at once. */
function sendEach(producer: Producer, values: readonly string[]): Promise<unknown>[] {
  return values.map((value) => producer.send(message(value)));
}

const ONE_PER_BATCH: ProducerOptions = { batchBytes: 1 };

async function produceError(promise: Promise<unknown>): Promise<ProduceError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ProduceError);
  return error as ProduceError;
}

function offsetsOf(results: readonly unknown[]): number[] {
  return results.map((result) => (result as { offset: number }).offset);
}

describe('without faults', () => {
  test('records sent together travel together and get their offsets', async () => {
    const { partitions, producer } = await setup({ compression: 'gzip' });
    const headers = [{ key: 'h', value: Buffer.from('x') }];
    const results = await Promise.all([
      producer.send(message('a', { headers, timestamp: 5 })),
      producer.send(message('b', { key: Buffer.from('k') })),
      producer.send(message('c')),
    ]);
    expect(offsetsOf(results)).toEqual([0, 1, 2]);
    expect(results[0]).toEqual({ topic: 't', partition: 0, offset: 0, timestamp: 5 });
    expect(partitions[0]?.batches).toHaveLength(1);
    expect(partitions[0]?.records[0]).toMatchObject({ headers, timestamp: 5 });
    const batch = new BatchHeader(partitions[0]?.batches[0] as Buffer);
    expect(batch).toMatchObject({ compression: 'gzip', producerEpoch: 0, baseSequence: 0, hasProducerId: true });
  });

  test('many records over several partitions, in order within each', async () => {
    const { partitions, producer } = await setup({ batchBytes: 300 }, [1, 2, 1]);
    const sends = Array.from({ length: 200 }, (_, i) => producer.send({ topic: 't', value: Buffer.from(String(i)) }));
    await Promise.all(sends);
    for (const { values } of partitions) {
      expect(values.length).toBeGreaterThan(60);
      expect(values).toEqual([...values].sort((a, b) => Number(a) - Number(b)));
    }
    expect(partitions.flatMap(({ values }) => values)).toHaveLength(200);
  });

  test('a key decides the partition', async () => {
    const { partitions, producer } = await setup({}, [1, 1, 1]);
    for (let i = 0; i < 6; i++) await producer.send({ topic: 't', key: Buffer.from('foobar'), value: null });
    expect(partitions.map(({ endOffset }) => endOffset)).toEqual([0, 0, 0].with((-790332482 & 0x7fffffff) % 3, 6));
  });

  test('flush does not linger', async () => {
    const { partitions, producer } = await setup({ lingerMs: 60_000 });
    const sends = [producer.send(message('a')), producer.send(message('b'))];
    await producer.flush();
    expect(partitions[0]?.values).toEqual(['a', 'b']);
    expect(partitions[0]?.batches).toHaveLength(1);
    await Promise.all(sends);
    await producer.close();
    expect(await produceError(producer.send(message('c')))).toMatchObject({ outcome: 'failed' });
  });

  test('lingering ends by itself', async () => {
    const { partitions, producer } = await setup({ lingerMs: 5 });
    await Promise.all([producer.send(message('a')), producer.send(message('b'))]);
    expect(partitions[0]?.batches).toHaveLength(1);
  });

  test('acks 1 without numbering', async () => {
    const { partitions, producer } = await setup({ acks: 1 });
    await producer.send(message('a'));
    expect(new BatchHeader(partitions[0]?.batches[0] as Buffer).hasProducerId).toBe(false);
  });
});

describe('faults that a retry mends', () => {
  test.each<[string, Bend]>([
    ['the answer is lost with the connection', { kind: 'cut-late' }],
    ['the request is lost with the connection', { kind: 'cut' }],
    ['too few replicas after the append', { kind: 'refuse-late', error: 'NOT_ENOUGH_REPLICAS_AFTER_APPEND' }],
    ['too few replicas before it', { kind: 'refuse', error: 'NOT_ENOUGH_REPLICAS' }],
    ['deposed while waiting', { kind: 'refuse-late', error: 'NOT_LEADER_OR_FOLLOWER' }],
    ['timed out at the broker', { kind: 'refuse-late', error: 'REQUEST_TIMED_OUT' }],
  ])('%s: each record once, in order', async (_what, bend) => {
    for (const at of [0, 2]) {
      const { cluster, partitions, producer } = await setup(ONE_PER_BATCH);
      bendProduce(cluster, { [at]: bend });
      const values = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
      const results = await Promise.all(sendEach(producer, values));
      expect(partitions[0]?.values).toEqual(values);
      expect(offsetsOf(results)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    }
  });

  test('a request that is never answered', async () => {
    const { cluster, partitions, producer } = await setup({ ...ONE_PER_BATCH, requestTimeoutMs: 250 });
    bendProduce(cluster, { 1: { kind: 'mute' } });
    const results = await Promise.all(sendEach(producer, ['a', 'b', 'c']));
    expect(partitions[0]?.values).toEqual(['a', 'b', 'c']);
    expect(offsetsOf(results)).toEqual([0, 1, 2]);
  });

  test('a new leader is followed, with records in flight', async () => {
    const { cluster, partitions, producer } = await setup(ONE_PER_BATCH);
    const partition = partitions[0] as ScriptedPartition;
    let produced = 0;
    cluster.script = (_broker, api) => {
      if (api === 'Produce' && ++produced === 3) Object.assign(partition, { leader: 2, leaderEpoch: 1 });
      return undefined;
    };
    const values = Array.from({ length: 12 }, (_, i) => `v${i}`);
    await Promise.all(sendEach(producer, values));
    expect(partition.values).toEqual(values);
    expect(new Set(partition.batches.map((batch) => new BatchHeader(batch).partitionLeaderEpoch))).toEqual(
      new Set([0, 1]),
    );
  });

  test('a leader that is gone until another one takes over', async () => {
    const { cluster, partitions, producer } = await setup();
    await producer.send(message('a'));
    await cluster.stop(1);
    const later = producer.send(message('b'));
    setTimeout(() => Object.assign(partitions[0] as ScriptedPartition, { leader: 2, leaderEpoch: 1 }), 150);
    expect(await later).toMatchObject({ offset: 1 });
    expect(partitions[0]?.values).toEqual(['a', 'b']);
  });

  test('the broker forgot the producer: another epoch, nothing lost', async () => {
    const { cluster, partitions, producer } = await setup();
    const partition = partitions[0] as ScriptedPartition;
    await producer.send(message('a'));
    await producer.send(message('b'));
    // Others than ours may say so; ours takes any sequence then.
    partition.producers.clear();
    bendProduce(cluster, { 0: { kind: 'refuse', error: 'UNKNOWN_PRODUCER_ID' } });
    expect(await producer.send(message('c'))).toMatchObject({ offset: 2 });
    expect(partition.values).toEqual(['a', 'b', 'c']);
    expect(partition.batches.map((batch) => new BatchHeader(batch).producerEpoch)).toEqual([0, 0, 1]);
  });
});

describe('failures', () => {
  test('a definite one leaves the others alone, and they stay in order', async () => {
    const { cluster, partitions, producer } = await setup(ONE_PER_BATCH);
    bendProduce(cluster, { 1: { kind: 'refuse', error: 'MESSAGE_TOO_LARGE' } });
    const [a, b, c, d] = sendEach(producer, ['a', 'b', 'c', 'd']) as [Promise<unknown>, ...Promise<unknown>[]];
    expect(await produceError(b as Promise<unknown>)).toMatchObject({
      outcome: 'failed',
      kafkaError: 'MESSAGE_TOO_LARGE',
    });
    await Promise.all([a, c, d]);
    expect(partitions[0]?.values).toEqual(['a', 'c', 'd']);
    await producer.send(message('e'));
    expect(partitions[0]?.values).toEqual(['a', 'c', 'd', 'e']);
  });

  test('out of time with an answer outstanding: unknown, and the record is there', async () => {
    const { cluster, partitions, producer } = await setup({ ...ONE_PER_BATCH, deliveryTimeoutMs: 300 });
    bendProduce(cluster, { 0: { kind: 'mute' } });
    const error = await produceError(producer.send(message('a')));
    expect(error.outcome).toBe('unknown');
    expect(error.message).toContain('not known');
    expect(partitions[0]?.values).toEqual(['a']);
  });

  test('out of time after definite refusals only: failed', async () => {
    const { cluster, partitions, producer } = await setup({ deliveryTimeoutMs: 1500 });
    cluster.script = (_broker, api) =>
      api === 'Produce' ? { kind: 'refuse', error: 'NOT_ENOUGH_REPLICAS' } : undefined;
    const error = await produceError(producer.send(message('a')));
    expect(error.outcome).toBe('failed');
    expect(error.message).toContain('not acknowledged within 1500 ms: NOT_ENOUGH_REPLICAS');
    cluster.script = () => undefined;
    // The numbering goes on in another epoch, since the broker may never see the sequence that was given up.
    await producer.send(message('b'));
    expect(partitions[0]?.values).toEqual(['b']);
  });

  test('nothing overtakes a first batch that is refused at a broker that takes any first sequence (T-1.2)', async () => {
    const { cluster, partitions, producer } = await setup(ONE_PER_BATCH);
    bendProduce(cluster, { 0: { kind: 'refuse', error: 'NOT_ENOUGH_REPLICAS' } });
    await Promise.all(sendEach(producer, ['a', 'b', 'c']));
    expect(partitions[0]?.values).toEqual(['a', 'b', 'c']);
    expect(new BatchHeader(partitions[0]?.batches[0] as Buffer)).toMatchObject({ producerEpoch: 0, baseSequence: 0 });
  });

  test('what ran out of time is never repeated, what comes after is fenced off from it', async () => {
    const { cluster, partitions, producer } = await setup({
      ...ONE_PER_BATCH,
      deliveryTimeoutMs: 400,
      requestTimeoutMs: 750,
    });
    // Several are in flight once the broker knows the producer.
    await producer.send(message('0'));
    bendProduce(cluster, { 0: { kind: 'mute' } });
    const [first, second] = sendEach(producer, ['a', 'b']) as [Promise<unknown>, Promise<unknown>];
    const errors = await Promise.all([produceError(first), produceError(second)]);
    expect(errors.map(({ outcome }) => outcome)).toEqual(['unknown', 'unknown']);
    await expect.poll(() => producer.unresolved).toBe(0);
    // Attempts on the connection that is mute may end unknown as well, until it is given up.
    let acknowledged: string | undefined;
    for (let i = 0; acknowledged === undefined; i++) {
      const sent = producer.send(message(`c${i}`));
      acknowledged = await sent.then(
        () => `c${i}`,
        () => undefined,
      );
    }
    const values = partitions[0]?.values ?? [];
    expect(new Set(values).size).toBe(values.length);
    expect(values.at(-1)).toBe(acknowledged);
    const epochs = partitions[0]?.batches.map((batch) => new BatchHeader(batch).producerEpoch) ?? [];
    expect(epochs.at(-1)).toBeGreaterThan(0);
  });

  test('no such partition, no such topic, no such time', async () => {
    const { producer } = await setup({ deliveryTimeoutMs: 100 });
    expect(await produceError(producer.send(message('a', { partition: 7 })))).toMatchObject({ outcome: 'failed' });
    const missing = await produceError(producer.send(message('a', { topic: 'missing' })));
    expect(missing).toMatchObject({ outcome: 'failed', kafkaError: 'UNKNOWN_TOPIC_OR_PARTITION' });
    expect(await produceError(producer.send(message('a', { timestamp: 1.5 })))).toMatchObject({ outcome: 'failed' });
  });

  test('a client that is closed gives up', async () => {
    const cluster = await new ScriptedCluster().start(1);
    cleanups.push(() => cluster.stop());
    cluster.addTopic('t', [1]);
    const client = new ClusterClient(testDeps(), { bootstrap: [...cluster.addresses.values()] });
    const producer = new Producer(client);
    await producer.send(message('a'));
    client.close();
    expect(await produceError(producer.send(message('b')))).toMatchObject({ outcome: 'failed' });
  });
});

describe('any faults', () => {
  const BENDS: readonly Bend[] = [
    { kind: 'cut' },
    { kind: 'cut-late' },
    { kind: 'mute' },
    { kind: 'refuse', error: 'NOT_ENOUGH_REPLICAS' },
    { kind: 'refuse', error: 'NOT_LEADER_OR_FOLLOWER' },
    { kind: 'refuse', error: 'MESSAGE_TOO_LARGE' },
    { kind: 'refuse-late', error: 'NOT_ENOUGH_REPLICAS_AFTER_APPEND' },
    { kind: 'refuse-late', error: 'NOT_LEADER_OR_FOLLOWER' },
    { kind: 'refuse-late', error: 'REQUEST_TIMED_OUT' },
    { kind: 'refuse-late', error: 'KAFKA_STORAGE_ERROR' },
  ];

  test.each([1, 2, 3, 4, 5])('no loss, no repetition, no reordering: seed %i', async (seed) => {
    const options = { batchBytes: 120, requestTimeoutMs: 800, deliveryTimeoutMs: seed % 2 === 0 ? 200_000 : 3000 };
    const { cluster, partitions, producer } = await setup(options, [1], testDeps(20, seed));
    const random = new KeyedRandom(seed);
    const partition = partitions[0] as ScriptedPartition;
    let faults = 25;
    cluster.script = (_broker, api) => {
      if (api !== 'Produce' || faults === 0 || !random.chance('fault', 0.35)) return undefined;
      faults--;
      if (random.chance('move', 0.3)) {
        Object.assign(partition, { leader: 3 - partition.leader, leaderEpoch: partition.leaderEpoch + 1 });
      }
      return BENDS[random.below('bend', BENDS.length)];
    };
    const outcomes = new Map<string, number | 'failed' | 'unknown'>();
    const sends: Promise<void>[] = [];
    for (let i = 0; i < 60; i++) {
      const value = String(i);
      const sent = producer.send(message(value)).then(
        ({ offset }) => void outcomes.set(value, offset),
        (error: unknown) => void outcomes.set(value, (error as ProduceError).outcome),
      );
      sends.push(sent);
      if (i % 7 === 6) await sent;
    }
    await Promise.all(sends);
    const values = partition.values;
    expect(new Set(values).size).toBe(values.length);
    const acknowledged: number[] = [];
    for (const [value, outcome] of outcomes) {
      if (outcome === 'failed') expect(values).not.toContain(value);
      if (typeof outcome !== 'number') continue;
      expect(values[outcome]).toBe(value);
      acknowledged.push(Number(value));
    }
    expect(acknowledged.length).toBeGreaterThan(0);
    const inLogOrder = values.map(Number).filter((value) => acknowledged.includes(value));
    expect(inLogOrder).toEqual([...acknowledged].sort((a, b) => a - b));
  });
});
