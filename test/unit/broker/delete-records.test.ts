// DeleteRecords on the wire: every version, each partition on its own.
import { expect, test } from 'vitest';
import { deleteRecordsApi } from '../../../src/protocol/apis/delete-records.ts';
import { fetchApi } from '../../../src/protocol/apis/fetch.ts';
import { listOffsetsApi } from '../../../src/protocol/apis/list-offsets.ts';
import { ErrorCode } from '../../../src/protocol/error-codes.ts';
import type { Wire } from './bench.ts';
import { batchOf, withNode } from './bench.ts';

async function remove(wire: Wire, version: number, partitions: readonly [string, number, number | bigint][]) {
  const topics = partitions.map(([name, partitionIndex, offset]) => ({
    name,
    partitions: [{ partitionIndex, offset }],
  }));
  const answer = await wire.ask(deleteRecordsApi, version, { timeoutMs: 1000, topics });
  return answer.topics.flatMap(({ partitions: theirs }) =>
    theirs.map(({ errorCode, lowWatermark }) => [errorCode, lowWatermark]),
  );
}

test('behaviour 58: every version moves the start; reads, ListOffsets and Produce show it', async () => {
  await withNode(async ({ connectWith }) => {
    const wire = await connectWith({ t: {} });
    for (let i = 0; i < 4; i++) await wire.produce('t', batchOf(2));
    for (const version of [0, 1, 2]) {
      expect(await remove(wire, version, [['t', 0, version + 1]])).toEqual([[0, version + 1]]);
    }
    const fetch = async (fetchOffset: number) => {
      const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: 1000 }];
      const request = { maxWaitMs: 0, minBytes: 1, topics: [{ topic: 't', partitions }] };
      return (await wire.ask(fetchApi, 12, request)).responses[0]?.partitions[0];
    };
    expect(await fetch(2)).toMatchObject({ errorCode: ErrorCode.OFFSET_OUT_OF_RANGE, logStartOffset: 3 });
    expect(await fetch(3)).toMatchObject({ errorCode: 0, logStartOffset: 3, highWatermark: 8 });
    const earliest = await wire.ask(listOffsetsApi, 5, {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp: -2 }] }],
    });
    expect(earliest.topics[0]?.partitions[0]).toMatchObject({ errorCode: 0, offset: 3 });
    expect(await remove(wire, 2, [['t', 0, -1]])).toEqual([[0, 8]]);
    expect(await wire.produce('t', batchOf())).toMatchObject({ baseOffset: 8, logStartOffset: 8 });
  });
});

test('each partition has its own error', async () => {
  await withNode(async ({ connectWith }) => {
    const wire = await connectWith({ t: { partitions: 2 }, c: { configs: { 'cleanup.policy': 'compact' } } });
    await wire.produce('t', batchOf(2), { partition: 1 });
    const answers = await remove(wire, 2, [
      ['t', 1, 3],
      ['t', 1, 2n ** 62n],
      ['t', 1, -7],
      ['t', 2, 0],
      ['nothing', 0, 0],
      ['c', 0, 0],
      ['t', 1, 2],
    ]);
    expect(answers).toEqual([
      [ErrorCode.OFFSET_OUT_OF_RANGE, -1],
      [ErrorCode.OFFSET_OUT_OF_RANGE, -1],
      [ErrorCode.OFFSET_OUT_OF_RANGE, -1],
      [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1],
      [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1],
      [ErrorCode.POLICY_VIOLATION, -1],
      [0, 2],
    ]);
  });
});
