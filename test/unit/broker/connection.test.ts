// One client connection: order of answers, what closes it, and what must not hold up what.
import { expect, test } from 'vitest';
import { apiVersionsApi } from '../../../src/protocol/apis/api-versions.ts';
import { fetchApi } from '../../../src/protocol/apis/fetch.ts';
import { metadataApi } from '../../../src/protocol/apis/metadata.ts';
import { produceApi } from '../../../src/protocol/apis/produce.ts';
import { batchOf, rawFrame, withNode } from './bench.ts';

function produceRequest(topic: string, acks: number, records: Buffer) {
  return { acks, timeoutMs: 30_000, topicData: [{ name: topic, partitionData: [{ index: 0, records }] }] };
}

function fetchRequest(topic: string, maxWaitMs: number) {
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 << 20 }];
  return { maxWaitMs, minBytes: 1, topics: [{ topic, partitions }] };
}

test('answers leave in the order of the requests, though later ones are done earlier', async () => {
  await withNode(async ({ connectWith, host, env }) => {
    const wire = await connectWith({ slow: {}, quick: { configs: { 'log.flush.mode': 'async' } } });
    const before = wire.answered.length;
    host.disk.settings.syncLatencyUs = [400_000, 400_000];
    const asked = env.clock.now();
    const done: string[] = [];
    const note = async (name: string, answer: Promise<unknown>) => {
      await answer;
      done.push(`${name} ${env.clock.now() - asked >= 400 ? 'late' : 'early'}`);
    };
    await Promise.all([
      note('slow', wire.ask(produceApi, 9, produceRequest('slow', -1, batchOf()))),
      note('quick', wire.ask(produceApi, 9, produceRequest('quick', -1, batchOf()))),
      note('metadata', wire.ask(metadataApi, 12, { topics: null })),
    ]);
    expect(done).toEqual(['slow late', 'quick late', 'metadata late']);
    const ids = wire.answered.slice(before);
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
  });
});

test('a produce that waits for its flush delays no later one: all share the flush after it', async () => {
  await withNode(async ({ connectWith, host, env }) => {
    const wire = await connectWith({ t: {} });
    await wire.produce('t', batchOf());
    host.disk.settings.syncLatencyUs = [100_000, 100_000];
    const asked = env.clock.now();
    const answers = await Promise.all(Array.from({ length: 20 }, () => wire.produce('t', batchOf())));
    expect(answers.map(({ baseOffset }) => baseOffset)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(env.clock.now() - asked).toBeLessThan(400); // twenty in a row would take two seconds
  });
});

test('idempotent batches in flight keep their order while the log is being opened', async () => {
  await withNode(async ({ connectWith, connect, host }) => {
    const wire = await connectWith({ open: {} });
    host.disk.settings.metadataLatencyUs = [50_000, 50_000];
    const other = await connect();
    await other.createTopics({ opening: {} });
    // The first request waits for the log of `opening`; its other partition is written all the same.
    const both = wire.ask(produceApi, 9, {
      acks: -1,
      timeoutMs: 30_000,
      topicData: ['opening', 'open'].map((name) => ({
        name,
        partitionData: [{ index: 0, records: batchOf(1, 10, { producerId: 7, producerEpoch: 0, baseSequence: 0 }) }],
      })),
    });
    const rest = [1, 2, 3].map((baseSequence) =>
      wire.produce('open', batchOf(1, 10, { producerId: 7, producerEpoch: 0, baseSequence })),
    );
    const errors = (await both).responses.map(({ partitionResponses }) => partitionResponses[0]?.errorCode);
    expect(errors).toEqual([0, 0]);
    for (const [i, answer] of (await Promise.all(rest)).entries()) {
      expect(answer).toMatchObject({ errorCode: 0, baseOffset: i + 1 });
    }
  });
});

test('a fetch waits for its turn; a produce behind a waiting fetch is made at once and ends that wait', async () => {
  await withNode(async ({ connectWith, env }) => {
    const wire = await connectWith({ t: {} });
    const asked = env.clock.now();
    const fetches = [fetchRequest('t', 20_000), fetchRequest('t', 20_000)].map((it) => wire.ask(fetchApi, 12, it));
    const produced = wire.produce('t', batchOf());
    for (const fetch of fetches) {
      const partition = (await fetch).responses[0]?.partitions[0];
      expect(partition).toMatchObject({ errorCode: 0, highWatermark: 1 });
    }
    expect((await produced).errorCode).toBe(0);
    expect(env.clock.now() - asked).toBeLessThan(1000);
  });
});

test('many fetches at once do not make many answers at once: one is read when the one before has left', async () => {
  await withNode(async ({ connectWith, world }) => {
    const wire = await connectWith({ t: { configs: { 'max.message.bytes': '4000000' } } });
    const size = 3_000_000;
    await wire.produce('t', batchOf(1, size));
    const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 10_000_000 }];
    const request = { maxWaitMs: 0, minBytes: 1, topics: [{ topic: 't', partitions }] };
    let reads = 0;
    world.trace = (event) => {
      if (event.kind === 'disk') reads++;
    };
    await wire.ask(fetchApi, 12, request);
    const readsPerFetch = reads;
    expect(readsPerFetch).toBeGreaterThan(0);
    reads = 0;
    wire.stream.pause();
    const answers = Array.from({ length: 14 }, () => wire.ask(fetchApi, 12, request));
    // Nothing is taken from the socket: what was read stays in the broker.
    await new Promise<void>((resolve) => world.after(5000, resolve));
    expect(reads / readsPerFetch).toBeLessThanOrEqual(7);
    wire.stream.resume();
    for (const answer of answers) {
      expect((await answer).responses[0]?.partitions[0]?.records?.length).toBeGreaterThan(size);
    }
  });
});

test('acks=0 has no answer, and an error closes the connection', async () => {
  await withNode(async ({ connectWith, connect }) => {
    const wire = await connectWith({ t: {} });
    const before = wire.answered.length;
    wire.tell(produceApi, 9, produceRequest('t', 0, batchOf()));
    await wire.ask(apiVersionsApi, 0, {});
    expect(wire.answered.length).toBe(before + 1);
    expect(await wire.produce('t', batchOf())).toMatchObject({ errorCode: 0, baseOffset: 1 });
    const doomed = await connect();
    doomed.tell(produceApi, 9, produceRequest('missing', 0, batchOf()));
    await doomed.untilClosed();
    expect(doomed.answered).toEqual([]);
    expect(wire.closed).toBe(false);
  });
});

test.each([
  ['an unknown API', rawFrame(4711, 0, 1, Buffer.alloc(0), 1)],
  ['an API that is not served', rawFrame(11, 5, 1, Buffer.alloc(0), 1)],
  ['a version that is not served', rawFrame(produceApi.key, 2, 1, Buffer.alloc(0), 1)],
  ['a version from the future', rawFrame(metadataApi.key, 13, 1, Buffer.alloc(0), 2)],
  ['a body that ends early', rawFrame(metadataApi.key, 4, 1, Buffer.from([0, 0]), 1)],
  ['a header that ends early', Buffer.from([0, 0, 0, 3, 0, 3, 0])],
  ['an empty frame', Buffer.from([0, 0, 0, 0])],
  ['a frame beyond socket.request.max.bytes', Buffer.from([0x7f, 0xff, 0xff, 0xff])],
])('%s closes the connection without an answer, and nothing else', async (_name, bytes) => {
  await withNode(async ({ connect }) => {
    const [wire, other] = [await connect(), await connect()];
    wire.send([bytes]);
    await wire.untilClosed();
    expect(wire.answered).toEqual([]);
    expect((await other.ask(apiVersionsApi, 0, {})).errorCode).toBe(0);
  });
});

test('a connection without requests is closed after connections.max.idle.ms, one that waits for an answer is not', async () => {
  await withNode(
    async ({ connectWith, connect, env }) => {
      const waiting = await connectWith({ t: {} });
      const idle = await connect();
      const asked = env.clock.now();
      const fetch = waiting.ask(fetchApi, 12, fetchRequest('t', 5000));
      await idle.untilClosed();
      expect(env.clock.now() - asked).toBeGreaterThanOrEqual(1000);
      expect((await fetch).errorCode).toBe(0);
      expect(env.clock.now() - asked).toBeGreaterThanOrEqual(5000);
    },
    { 'connections.max.idle.ms': '1000' },
  );
});

test('a stop answers who waits before it closes', async () => {
  await withNode(async ({ connectWith, connect, node }) => {
    const wire = await connectWith({ t: {} });
    const fetch = wire.ask(fetchApi, 12, fetchRequest('t', 50_000));
    await (await connect()).ask(apiVersionsApi, 0, {});
    const stopped = node.stop();
    const { responses } = await fetch;
    expect(responses[0]?.partitions[0]?.errorCode).toBe(6);
    await stopped;
    await wire.untilClosed();
  });
});
