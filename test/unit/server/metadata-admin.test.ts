// Explanations, histories and differences from a node's own log and snapshots: whole, trimmed before, trimmed meanwhile.
import { describe, expect, test } from 'vitest';
import type { DiffEntry, HistoryEntry, MetadataHistoryResponse } from '../../../src/gen/kvorum/v1/admin.ts';
import type { MetadataRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import { partitionRecord, record, registration, topicRecord, uuid } from '../metadata/fixture.ts';
import { MetadataNode } from './metadata-node.ts';

const LEVEL = record({ $case: 'metadataLevel', metadataLevel: { level: 2 } });

function fenced(brokerId: number, brokerEpoch: number, isFenced: boolean, cause: string): MetadataRecord {
  return record({ $case: 'brokerChange', brokerChange: { brokerId, brokerEpoch, fenced: isFenced, cause } });
}

function isr(partition: number, isrOf: number[], cause: string, leader?: number): MetadataRecord {
  const change = { topicId: uuid(1), partition, isr: { replicas: isrOf }, cause };
  return record({ $case: 'partitionChange', partitionChange: leader === undefined ? change : { ...change, leader } });
}

/** Brokers 4 and 5, topic orders on both; broker 4 was fenced. The offset of the batch that did it. */
async function troubled(node: MetadataNode): Promise<number> {
  await node.commit([LEVEL]);
  for (const id of [4, 5]) {
    const epoch = await node.commit([registration(id)], 1000);
    await node.commit([fenced(id, epoch, false, 'caught up')], 2000);
  }
  await node.commit([topicRecord('orders', uuid(1)), partitionRecord(uuid(1), 0, [4, 5])], 3000);
  const brokerEpoch = node.publisher.image.brokers.get(4)?.brokerEpoch ?? -1;
  return node.commit([isr(0, [5], 'broker 4 fenced', 5), fenced(4, brokerEpoch, true, 'session expired')], 4000);
}

function touch(n: number): MetadataRecord {
  const config = { scope: ConfigScope.TOPIC, entity: 'orders', key: 'segment.bytes', value: String(n) };
  return record({ $case: 'config', config });
}

async function explain(node: MetadataNode, topic = 'orders', partition = 0) {
  return node.during(node.admin.explainPartition({ topic, partition }, node.context));
}

async function historyOf(node: MetadataNode, topic = 'orders', partition = -1, between?: (n: number) => Promise<void>) {
  let count = 0;
  const messages = await node.collect(node.admin.metadataHistory({ topic, partition }, node.context), () =>
    between?.(++count),
  );
  return messages.map(toldBy);
}

function toldBy({ event }: MetadataHistoryResponse): number | HistoryEntry {
  if (event === undefined) throw new Error('an empty message');
  return event.$case === 'entry' ? event.entry : event.logStartOffset;
}

function lines(told: readonly (number | HistoryEntry)[]): string[] {
  return told.map((it) =>
    typeof it === 'number' ? `log from ${it}` : `${it.offset} ${it.timestampMs} ${it.type} ${it.change} (${it.cause})`,
  );
}

async function diff(node: MetadataNode, fromOffset: number, toOffset: number): Promise<DiffEntry[]> {
  const messages = await node.collect(node.admin.diffMetadata({ fromOffset, toOffset }, node.context));
  return messages.flatMap(({ entries }) => entries);
}

describe('ExplainPartition', () => {
  test('names the record, its epoch and its time, until that is in a snapshot', async () => {
    const node = await new MetadataNode().start();
    const at = await troubled(node);
    const { epoch } = node.quorum.describe();
    const answer = await explain(node);
    expect(answer.verdict).toContain(
      `broker 5 leads: it is active and in the ISR; broker 4, the preferred leader, cannot`,
    );
    expect(answer.decidedBy).toEqual({ offset: at, epoch, timestampMs: 4000, cause: 'broker 4 fenced' });
    expect(answer.replicas[0]).toMatchObject({
      brokerId: 4,
      eligible: false,
      brokerState: { offset: at + 1, epoch, timestampMs: 4000, cause: 'session expired' },
    });
    expect(answer.metadataEndOffset).toBe(node.publisher.image.endOffset);
    await node.snapshot();
    await node.commit([touch(1)]);
    await node.snapshot();
    const later = await explain(node);
    expect(node.quorum.describe().logStartOffset).toBeGreaterThan(at);
    expect(later.decidedBy).toEqual({ offset: at, epoch: -1, timestampMs: -1, cause: '' });
    // What the image keeps is known all the same.
    expect(later.replicas[0]?.brokerState).toEqual({
      offset: at + 1,
      epoch: -1,
      timestampMs: 4000,
      cause: 'session expired',
    });
  });

  test('what is not there is an error of the answer', async () => {
    const node = await new MetadataNode().start();
    await troubled(node);
    expect((await explain(node, 'nope')).error).toMatchObject({ name: 'UNKNOWN_TOPIC_OR_PARTITION' });
    expect((await explain(node, 'orders', 1)).error?.message).toContain('no partition 1');
  });
});

describe('MetadataHistory', () => {
  test('is told from the whole log', async () => {
    const node = await new MetadataNode().start();
    const at = await troubled(node);
    await node.commit([touch(1)], 5000);
    expect(lines(await historyOf(node))).toEqual([
      'log from 0',
      `${at - 2} 3000 topicCreated topic created ()`,
      `${at - 1} 3000 partitionCreated leader 4, leader epoch 0, replicas [4,5], ISR [4,5], partition epoch 0 ()`,
      `${at} 4000 leaderChanged leader 4 → 5, leader epoch 0 → 1, ISR [4,5] → [5], partition epoch 0 → 1 (broker 4 fenced)`,
      `${at + 2} 5000 configChanged segment.bytes not set → 1 ()`,
    ]);
    const { epoch } = node.quorum.describe();
    const [, entry] = await historyOf(node, 'orders', 0);
    expect(entry).toMatchObject({ epoch, topic: 'orders', topicId: uuid(1), partition: 0 });
  });

  test('begins with the state at the oldest snapshot where the log begins later', async () => {
    const node = await new MetadataNode().start();
    const at = await troubled(node);
    const first = await node.snapshot();
    await node.commit([touch(1)], 5000);
    await node.snapshot();
    await node.commit([isr(0, [4, 5], 'asked for by the leader')], 6000);
    expect(first).toBe(at + 2);
    expect(lines(await historyOf(node))).toEqual([
      `log from ${first}`,
      `${first - 1} -1 stateAtSnapshot topic with 1 partition ()`,
      `${first - 1} -1 stateAtSnapshot leader 5, leader epoch 1, replicas [4,5], ISR [5], partition epoch 1 ()`,
      `${first} 5000 configChanged segment.bytes not set → 1 ()`,
      `${first + 1} 6000 isrChanged ISR [5] → [4,5], partition epoch 1 → 2 (asked for by the leader)`,
    ]);
  });

  test('R-10.3: a log that is trimmed while a slow reader reads it: then the state where it begins now', async () => {
    const node = await new MetadataNode().start();
    await troubled(node);
    // More than one read of the log.
    for (let n = 0; n < 40; n++) {
      await node.commit(Array.from({ length: 100 }, (_, i) => touch(n * 100 + i)));
    }
    const end = node.publisher.image.endOffset;
    const told = await historyOf(node, 'orders', -1, async (count) => {
      if (count === 10) await node.trim(touch(7777));
    });
    expect(node.quorum.describe().logStartOffset).toBe(end);
    const anew = told.indexOf(end);
    expect(told[0]).toBe(0);
    expect(anew).toBeGreaterThan(100);
    expect(anew).toBeLessThan(4000);
    expect(lines(told.slice(anew))).toEqual([
      `log from ${end}`,
      `${end - 1} -1 stateAtSnapshot topic with 1 partition, segment.bytes=3999 ()`,
      `${end - 1} -1 stateAtSnapshot leader 5, leader epoch 1, replicas [4,5], ISR [5], partition epoch 1 ()`,
    ]);
  });

  test('of what the log says nothing, and requests that make no sense', async () => {
    const node = await new MetadataNode().start();
    await troubled(node);
    const refused = async (topic: string, partition: number) =>
      historyOf(node, topic, partition).catch((e: unknown) => e);
    expect(await refused('nope', -1)).toMatchObject({
      status: 'NOT_FOUND',
      message: "the metadata log of this node, which begins at offset 0, says nothing of topic 'nope'",
    });
    expect(await refused('orders', 3)).toMatchObject({
      status: 'NOT_FOUND',
      message: expect.stringContaining("says nothing of partition 3 of topic 'orders'"),
    });
    expect(await refused('', -1)).toMatchObject({ status: 'INVALID_ARGUMENT' });
    expect(await refused('orders', -2)).toMatchObject({ status: 'INVALID_ARGUMENT' });
  });

  test('ends where nobody listens any more', async () => {
    const node = await new MetadataNode().start();
    await troubled(node);
    const told = await historyOf(node, 'orders', -1, async (count) => {
      if (count === 2) node.stop.abort();
    });
    expect(told).toHaveLength(2);
  });
});

describe('DiffMetadata', () => {
  test('from any offset that the log has to any later one, in the middle of a batch too', async () => {
    const node = await new MetadataNode().start();
    const at = await troubled(node);
    const partition = {
      subject: 'partition orders-0',
      before: 'leader 4, leader epoch 0, ISR [4,5], partition epoch 0',
      after: 'leader 5, leader epoch 1, ISR [5], partition epoch 1',
    };
    const broker = {
      subject: 'broker 4',
      before: 'state active',
      after: `state fenced since offset ${at + 1}: session expired`,
    };
    expect(await diff(node, at, -1)).toEqual([broker, partition]);
    expect(await diff(node, at, at + 1)).toEqual([partition]);
    expect(await diff(node, at + 1, at + 2)).toEqual([broker]);
    expect(await diff(node, at, at)).toEqual([]);
    expect(await diff(node, -1, -1)).toEqual([]);
    const whole = await diff(node, 0, -1);
    expect(whole.map(({ subject }) => subject)).toEqual([
      'metadata level',
      'broker 4',
      'broker 5',
      'topic orders',
      'partition orders-0',
    ]);
    expect(whole.every(({ before }) => before === undefined)).toBe(true);
  });

  test('is the same from a snapshot as from the log', async () => {
    const node = await new MetadataNode().start();
    const at = await troubled(node);
    await node.commit([touch(1)], 5000);
    const expected = await diff(node, at + 2, -1);
    expect(expected).toHaveLength(1);
    await node.snapshot();
    await node.commit([touch(2)], 5000);
    await node.snapshot();
    const start = node.quorum.describe().logStartOffset;
    expect(start).toBe(at + 3);
    expect(await diff(node, start, -1)).toEqual([
      { subject: 'config topic orders', before: 'segment.bytes=1', after: 'segment.bytes=2' },
    ]);
    expect(await diff(node, at + 2, -1).catch((error: unknown) => error)).toMatchObject({
      status: 'INVALID_ARGUMENT',
      message: `from_offset is ${at + 2}: this node has images from offset ${start} to ${start + 1}; -1 is the newest`,
    });
  });

  test('R-10.3: a log that is trimmed meanwhile is read anew; again and again is too much', async () => {
    const node = await new MetadataNode().start();
    await troubled(node);
    const expected = await diff(node, 0, -1);
    node.trimmedReads = 2;
    expect(await diff(node, 0, -1)).toEqual(expected);
    expect(node.trimmedReads).toBe(0);
    node.trimmedReads = 3;
    expect(await diff(node, 0, -1).catch((error: unknown) => error)).toMatchObject({ status: 'UNAVAILABLE' });
    // The one that failed is over.
    for (let i = 0; i < 3; i++) expect(await diff(node, 0, -1)).toEqual(expected);
  });

  test('over a batch with more records than are handled at once', async () => {
    const node = await new MetadataNode().start();
    await troubled(node);
    const before = node.publisher.image.endOffset;
    const brokerEpoch = node.publisher.image.brokers.get(5)?.brokerEpoch ?? -1;
    const many = Array.from({ length: 600 }, (_, i) => touch(i));
    await node.commit([...many, fenced(5, brokerEpoch, true, 'late in its batch')], 9000);
    const entries = await diff(node, before, -1);
    expect(entries.map(({ subject }) => subject)).toEqual(['broker 5', 'config topic orders']);
  });

  test('more entries than a message holds come in several', async () => {
    const node = await new MetadataNode().start();
    await node.commit([LEVEL]);
    await node.commit([registration(4)]);
    const partitions = Array.from({ length: 250 }, (_, i) => partitionRecord(uuid(1), i, [4]));
    await node.commit([topicRecord('wide', uuid(1)), ...partitions]);
    const messages = await node.collect(node.admin.diffMetadata({ fromOffset: 0, toOffset: -1 }, node.context));
    expect(messages.map(({ entries }) => entries.length)).toEqual([100, 100, 53]);
  });

  test('offsets that make no sense are named with the range', async () => {
    const node = await new MetadataNode().start();
    await troubled(node);
    const end = node.quorum.describe().highWatermark;
    const refused = (from: number, to: number) => diff(node, from, to).catch((error: unknown) => error);
    expect(await refused(-2, -1)).toMatchObject({
      status: 'INVALID_ARGUMENT',
      message: `from_offset is -2: this node has images from offset 0 to ${end}; -1 is the newest`,
    });
    expect(await refused(0, end + 1)).toMatchObject({
      status: 'INVALID_ARGUMENT',
      message: `to_offset is ${end + 1}: this node has images from offset 0 to ${end}; -1 is the newest`,
    });
    expect(await refused(5, 3)).toMatchObject({
      status: 'INVALID_ARGUMENT',
      message: 'from_offset 5 is above to_offset 3: give the earlier one first',
    });
  });

  test('few are made at once, and one that nobody takes to its end makes room', async () => {
    const node = await new MetadataNode().start();
    await troubled(node);
    const started = Array.from({ length: 3 }, async () => {
      const stream = node.admin.diffMetadata({ fromOffset: 0, toOffset: -1 }, node.context);
      try {
        for await (const { entries } of stream) return entries.length;
      } catch (error) {
        return error;
      }
      return 0;
    });
    const outcomes = await node.during(Promise.all(started));
    expect(outcomes.filter((it) => typeof it === 'number')).toEqual([5, 5]);
    expect(outcomes.filter((it) => typeof it !== 'number')).toMatchObject([{ status: 'RESOURCE_EXHAUSTED' }]);
    expect(await diff(node, 0, -1)).not.toEqual([]);
  });
});
