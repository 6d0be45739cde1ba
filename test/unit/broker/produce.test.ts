// Produce as clients meet it (behaviours 19-27, D-7, T-1).
import { beforeAll, describe, expect, test } from 'vitest';
import { loadCodecs } from '../../../src/codec/compression.ts';
import { fetchApi } from '../../../src/protocol/apis/fetch.ts';
import { produceApi } from '../../../src/protocol/apis/produce.ts';
import { BatchHeader } from '../../../src/record/batch.ts';
import { buildBatch } from '../../../src/record/builder.ts';
import { batchOf, withNode } from './bench.ts';

beforeAll(loadCodecs);

function withByte(batch: Buffer, at: number, value: number): Buffer {
  const changed = Buffer.from(batch);
  changed[at] = value;
  return changed;
}

function sequenced(baseSequence: number, producerEpoch = 0, producerId = 5, count = 1): Buffer {
  return batchOf(count, 10, { producerId, producerEpoch, baseSequence });
}

test('every refusal is of its partition, and changes nothing', async () => {
  await withNode(async ({ connectWith }) => {
    const wire = await connectWith({ t: { configs: { 'max.message.bytes': '1000' } } });
    const good = batchOf();
    const refusals: [Buffer | null, number, object?][] = [
      [withByte(good, 70, 0xff), 2], // CORRUPT_MESSAGE
      [good.subarray(0, 70), 2],
      [withByte(good, 16, 1), 87], // INVALID_RECORD: magic 1
      [Buffer.concat([good, good]), 87],
      [Buffer.alloc(0), 87],
      [null, 87],
      [batchOf(1, 1000), 10], // MESSAGE_TOO_LARGE
      [batchOf(1, 10, { control: true }), 87],
      [batchOf(1, 10, { compression: 'zstd' }), 76, { version: 6 }],
      [good, 21, { acks: 2 }],
      [good, 3, { partition: 1 }],
      [good, 3, { partition: -1 }],
    ];
    for (const [records, errorCode, options] of refusals) {
      expect(await wire.produce('t', records, options)).toMatchObject({ errorCode, baseOffset: -1 });
    }
    expect(await wire.produce('missing', good)).toMatchObject({ errorCode: 3 });
    expect(await wire.produce('t', good)).toMatchObject({
      errorCode: 0,
      baseOffset: 0,
      logAppendTimeMs: -1,
      logStartOffset: 0,
    });
    expect(await wire.produce('t', batchOf(1, 10, { compression: 'zstd' }), { version: 7 })).toMatchObject({
      errorCode: 0,
      baseOffset: 1,
    });
  });
});

test('transactions are refused for good', async () => {
  await withNode(async ({ connectWith }) => {
    const wire = await connectWith({ t: {} });
    const topicData = [{ name: 't', partitionData: [{ index: 0, records: batchOf() }] }];
    const request = { transactionalId: 'tx', acks: -1, timeoutMs: 1000, topicData };
    const { responses } = await wire.ask(produceApi, 9, request);
    expect(responses[0]?.partitionResponses[0]?.errorCode).toBe(48);
  });
});

test('sequences: repeats answer as before, gaps and old epochs are refused, a new epoch begins at 0 (T-1)', async () => {
  await withNode(async ({ connectWith }) => {
    const wire = await connectWith({ t: {} });
    for (let sequence = 0; sequence < 7; sequence++) await wire.produce('t', sequenced(sequence));
    const [repeat, older, gap] = [6, 1, 9].map((sequence) => wire.produce('t', sequenced(sequence)));
    expect(await repeat).toMatchObject({ errorCode: 0, baseOffset: 6, logStartOffset: 0 });
    expect([45, 46]).toContain((await older)?.errorCode);
    expect(await gap).toMatchObject({ errorCode: 45 });
    expect(await wire.produce('t', sequenced(5, 1))).toMatchObject({ errorCode: 45 });
    expect(await wire.produce('t', sequenced(0, 1))).toMatchObject({ errorCode: 0, baseOffset: 7 });
    expect(await wire.produce('t', sequenced(7, 0))).toMatchObject({ errorCode: 47 });
  });
});

test('a repeat is acknowledged when the first write is, behind later batches that wait too (D-7.5)', async () => {
  await withNode(async ({ connectWith, host, env }) => {
    const wire = await connectWith({ t: {} });
    await wire.produce('t', batchOf());
    host.disk.settings.syncLatencyUs = [100_000, 100_000];
    for (const acks of [1, -1]) {
      const asked = env.clock.now();
      const producerId = 20 + acks;
      const sent = [0, 1, 2, 0, 1].map((sequence) => wire.produce('t', sequenced(sequence, 0, producerId), { acks }));
      const [a, b, c, againA, againB] = await Promise.all(sent);
      expect([a, b, c].map((it) => it?.errorCode)).toEqual([0, 0, 0]);
      expect(againA).toMatchObject({ errorCode: 0, baseOffset: a?.baseOffset });
      expect(againB).toMatchObject({ errorCode: 0, baseOffset: b?.baseOffset });
      expect(env.clock.now() - asked).toBeGreaterThanOrEqual(100);
    }
  });
});

test('a timeout is of the partitions that are not acknowledged, and leaves the batch (behaviour 20)', async () => {
  await withNode(async ({ connectWith, host }) => {
    const wire = await connectWith({ slow: {}, quick: { configs: { 'log.flush.mode': 'async' } } });
    await wire.produce('slow', batchOf());
    host.disk.settings.syncLatencyUs = [500_000, 500_000];
    const topicData = ['slow', 'quick'].map((name) => ({ name, partitionData: [{ index: 0, records: batchOf() }] }));
    const { responses } = await wire.ask(produceApi, 9, { acks: -1, timeoutMs: 50, topicData });
    expect(responses.map(({ partitionResponses }) => partitionResponses[0]?.errorCode)).toEqual([7, 0]);
    expect(await wire.produce('slow', batchOf())).toMatchObject({ errorCode: 0, baseOffset: 2 });
  });
});

test('LogAppendTime: the time is set in the batch, answered, and answered again for a repeat (behaviours 22, 23)', async () => {
  await withNode(async ({ connectWith }) => {
    const wire = await connectWith({ t: { configs: { 'message.timestamp.type': 'LogAppendTime' } } });
    const first = await wire.produce('t', sequenced(0));
    expect(first.errorCode).toBe(0);
    expect(first.logAppendTimeMs).toBeGreaterThan(1000);
    expect((await wire.produce('t', sequenced(0))).logAppendTimeMs).toBe(first.logAppendTimeMs);
    const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }];
    const request = { maxWaitMs: 0, minBytes: 1, topics: [{ topic: 't', partitions }] };
    const records = (await wire.ask(fetchApi, 12, request)).responses[0]?.partitions[0]?.records as Buffer;
    const batch = new BatchHeader(records);
    expect(batch.timestampType).toBe('LogAppendTime');
    expect(batch.maxTimestamp).toBe(first.logAppendTimeMs);
    expect(batch.computeCrc()).toBe(batch.crc);
  });
});

test('behaviour 19: what a topic asks of records is answered with those at fault', async () => {
  await withNode(async ({ connectWith, env }) => {
    const wire = await connectWith({
      compacted: { configs: { 'cleanup.policy': 'compact' } },
      timed: { configs: { 'message.timestamp.before.max.ms': '60000' } },
    });
    const now = env.clock.wallTime();
    const record = (key: string | null, timestamp = now) => {
      return { timestamp, key: key === null ? null : Buffer.from(key), value: null, headers: [] };
    };
    const keyless = buildBatch([record('a'), record(null), record('b')]);
    expect(await wire.produce('compacted', keyless)).toMatchObject({
      errorCode: 87,
      baseOffset: -1,
      recordErrors: [{ batchIndex: 1, batchIndexErrorMessage: expect.stringContaining('without a key') }],
    });
    const old = buildBatch([record('a'), record('b', now - 120_000)]);
    expect(await wire.produce('timed', old)).toMatchObject({ errorCode: 32, recordErrors: [{ batchIndex: 1 }] });
    const ahead = buildBatch([record('a', now + 7_200_000)]);
    expect(await wire.produce('timed', ahead)).toMatchObject({ errorCode: 32, recordErrors: [{ batchIndex: 0 }] });
    expect(await wire.produce('timed', keyless)).toMatchObject({ errorCode: 0, baseOffset: 0 });
  });
});

test('compression.type: what is read is compressed so, whatever was sent', async () => {
  await withNode(async ({ connectWith }) => {
    const wire = await connectWith({ t: { configs: { 'compression.type': 'zstd' } } });
    expect(await wire.produce('t', batchOf(3, 500, { compression: 'gzip' }))).toMatchObject({ errorCode: 0 });
    const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 10_000 }];
    const request = { maxWaitMs: 0, minBytes: 1, topics: [{ topic: 't', partitions }] };
    const records = (await wire.ask(fetchApi, 12, request)).responses[0]?.partitions[0]?.records as Buffer;
    const batch = new BatchHeader(records);
    expect([batch.compression, batch.recordsCount, batch.computeCrc()]).toEqual(['zstd', 3, batch.crc]);
  });
});

describe('a log dir whose disk fails', () => {
  const keys = { 'metadata.log.dir': '/metadata', 'log.dirs': '/d1,/d2' };

  test('a failed fsync answers KAFKA_STORAGE_ERROR to all who wait; the partitions in the other log dir go on', async () => {
    await withNode(async ({ connectWith, host }) => {
      const wire = await connectWith({ broken: {}, whole: {} });
      await wire.produce('broken', batchOf());
      host.disk.failNext('sync', '/broken-0');
      const waiting = [1, -1, -1].map((acks) => wire.produce('broken', batchOf(), { acks }));
      expect((await Promise.all(waiting)).map(({ errorCode }) => errorCode)).toEqual([56, 56, 56]);
      expect(await wire.produce('broken', batchOf())).toMatchObject({ errorCode: 56 });
      expect(await wire.produce('whole', batchOf())).toMatchObject({ errorCode: 0 });
      const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }];
      const request = { maxWaitMs: 0, minBytes: 1, topics: [{ topic: 'broken', partitions }] };
      expect((await wire.ask(fetchApi, 12, request)).responses[0]?.partitions[0]?.errorCode).toBe(56);
    }, keys);
  });

  test('a failed write answers KAFKA_STORAGE_ERROR', async () => {
    await withNode(async ({ connectWith, host }) => {
      const wire = await connectWith({ t: {} });
      await wire.produce('t', batchOf());
      host.disk.failNext('write', '/t-0');
      expect(await wire.produce('t', batchOf())).toMatchObject({ errorCode: 56 });
      expect(await wire.produce('t', batchOf())).toMatchObject({ errorCode: 56 });
    }, keys);
  });
});
