import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader, BytesError } from '../../../src/base/bytes.ts';
import { KeyedRandom } from '../../../src/base/keyed-random.ts';
import { backoffMs } from '../../../src/client/backoff.ts';
import { FrameSplitter } from '../../../src/client/frame-splitter.ts';
import { MetadataCache } from '../../../src/client/metadata-cache.ts';
import { partitionOfKey, RoundRobin } from '../../../src/client/partitioner.ts';
import { mayBeAppended } from '../../../src/client/produce-error.ts';
import { metadataApi } from '../../../src/protocol/apis/metadata.ts';
import { ErrorCode } from '../../../src/protocol/error-codes.ts';

describe('FrameSplitter', () => {
  function framed(frames: readonly Uint8Array[]): Buffer {
    return Buffer.concat(
      frames.flatMap((frame) => {
        const size = Buffer.alloc(4);
        size.writeInt32BE(frame.length);
        return [size, frame];
      }),
    );
  }

  test('gives the same frames however the stream is cut', () => {
    const frames = fc.array(fc.uint8Array({ minLength: 1, maxLength: 30 }), { maxLength: 6 });
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (sent, cuts) => {
        const splitter = new FrameSplitter(30);
        const stream = framed(sent);
        const got: Buffer[] = [];
        for (let at = 0, i = 0; at < stream.length; i++) {
          const length = cuts[i % cuts.length] as number;
          const chunk = Buffer.from(stream.subarray(at, at + length));
          splitter.push(chunk, (frame) => got.push(frame));
          // The network reuses its buffer.
          chunk.fill(0xee);
          at += length;
        }
        expect(got.map((frame) => [...frame])).toEqual(sent.map((frame) => [...frame]));
      }),
    );
  });

  test('puts a frame where it is told to', () => {
    const memory = Buffer.alloc(8);
    const splitter = new FrameSplitter(30, (size) => memory.subarray(0, size));
    const got: Buffer[] = [];
    splitter.push(framed([Buffer.from('first')]), (frame) => got.push(frame));
    expect(got[0]?.toString()).toBe('first');
    expect(memory.toString('latin1', 0, 5)).toBe('first');
  });

  test.each([0, -1, 31, 0x7fff_ffff])('refuses a size of %i', (size) => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(size);
    expect(() => new FrameSplitter(30).push(bytes, () => {})).toThrow(BytesError);
  });
});

describe('partitioning', () => {
  // murmur2 values from Kafka's own UtilsTest.
  test.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['abc', 479470107],
  ])('key %s as with the Java client', (key, hash) => {
    for (const partitions of [1, 3, 7, 50]) {
      expect(partitionOfKey(Buffer.from(key), partitions)).toBe((hash & 0x7fff_ffff) % partitions);
    }
  });

  test('round robin reaches all partitions evenly, each topic on its own', () => {
    const roundRobin = new RoundRobin(new KeyedRandom(1));
    const seen = Array.from({ length: 9 }, () => roundRobin.next('a', 3));
    roundRobin.next('b', 3);
    for (const partition of [0, 1, 2]) expect(seen.filter((at) => at === partition)).toHaveLength(3);
  });
});

test('back-off doubles up to its maximum, give or take a fifth', () => {
  const random = new KeyedRandom(3);
  for (const [attempt, plain] of [
    [1, 100],
    [2, 200],
    [4, 800],
    [5, 1000],
    [60, 1000],
  ] as const) {
    const ms = backoffMs(random, 'test', attempt);
    expect(ms).toBeGreaterThanOrEqual(plain * 0.8);
    expect(ms).toBeLessThanOrEqual(plain * 1.2);
  }
});

test('which errors leave open whether a batch was appended', () => {
  expect(mayBeAppended(ErrorCode.NOT_ENOUGH_REPLICAS)).toBe(false);
  expect(mayBeAppended(ErrorCode.MESSAGE_TOO_LARGE)).toBe(false);
  expect(mayBeAppended(ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND)).toBe(true);
  expect(mayBeAppended(ErrorCode.REQUEST_TIMED_OUT)).toBe(true);
  expect(mayBeAppended(ErrorCode.NOT_LEADER_OR_FOLLOWER)).toBe(true);
  expect(mayBeAppended(4711)).toBe(true);
});

describe('MetadataCache', () => {
  const ID_A = 'aaaaaaaaaaaaaaaaaaaaaA';
  const ID_B = 'bbbbbbbbbbbbbbbbbbbbbA';

  function answer(topicId: string, leaders: readonly [leader: number, epoch: number][], errorCode = 0) {
    const partitions = leaders.map(([leaderId, leaderEpoch], partitionIndex) => {
      return {
        errorCode: 0,
        partitionIndex,
        leaderId,
        leaderEpoch,
        replicaNodes: [1, 2],
        isrNodes: [1],
        offlineReplicas: [],
      };
    });
    const brokers = [{ nodeId: 1, host: 'h', port: 9 }];
    const bytes = metadataApi.encodeResponse(12, { brokers, topics: [{ errorCode, name: 't', topicId, partitions }] });
    return metadataApi.decodeResponse(12, new ByteReader(Buffer.concat(bytes)));
  }

  test('a leader epoch never goes back for one topic id', () => {
    const cache = new MetadataCache();
    cache.update(
      answer(ID_A, [
        [1, 5],
        [2, 3],
      ]),
    );
    cache.update(
      answer(ID_A, [
        [3, 4],
        [4, 4],
      ]),
    );
    expect(cache.topic('t')?.partitions.map(({ leaderId }) => leaderId)).toEqual([1, 4]);
    // Another topic of the same name starts anew.
    cache.update(answer(ID_B, [[7, 0]]));
    expect(cache.topic('t')?.partitions.map(({ leaderId }) => leaderId)).toEqual([7]);
  });

  test('an unknown topic is forgotten, one with a passing error is kept', () => {
    const cache = new MetadataCache();
    cache.update(answer(ID_A, [[1, 5]]));
    cache.update(answer(ID_A, [], ErrorCode.LEADER_NOT_AVAILABLE));
    expect(cache.topic('t')?.partitions).toHaveLength(1);
    cache.update(answer(ID_A, [], ErrorCode.UNKNOWN_TOPIC_OR_PARTITION));
    expect(cache.topic('t')).toBeUndefined();
    expect(cache.topicError('t')).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  });
});
