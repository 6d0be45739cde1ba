import { describe, expect, test } from 'vitest';
import { decodeEpochs, encodeEpochs } from '../../../src/log/epoch-checkpoint.ts';
import type { EpochEntry } from '../../../src/log/leader-epoch-cache.ts';
import { LeaderEpochCache } from '../../../src/log/leader-epoch-cache.ts';

const MAX_EPOCH = 4;
const MAX_OFFSET = 5;

/** Every log of up to MAX_OFFSET records with epochs that do not decrease, as the list of its records' epochs. */
function* logs(prefix: number[] = []): Generator<number[]> {
  yield prefix;
  if (prefix.length === MAX_OFFSET) return;
  for (let epoch = prefix.at(-1) ?? 0; epoch <= MAX_EPOCH; epoch++) yield* logs([...prefix, epoch]);
}

function cacheOf(log: readonly number[]): LeaderEpochCache {
  const cache = new LeaderEpochCache();
  for (const [offset, epoch] of log.entries()) cache.assign(epoch, offset);
  return cache;
}

describe('LeaderEpochCache, all small logs', () => {
  test('D-1.1 entries are where epochs begin, strictly increasing; assigning again changes nothing', () => {
    for (const log of logs()) {
      const cache = cacheOf(log);
      const expected = log.flatMap((epoch, offset) =>
        log[offset - 1] === epoch ? [] : [{ epoch, startOffset: offset }],
      );
      expect(cache.entries).toEqual(expected);
      for (const [offset, epoch] of log.entries()) expect(cache.assign(epoch, offset)).toBe(false);
      expect(cache.entries).toEqual(expected);
    }
  });

  test('D-1.2 endOffsetFor is the end of the records of the largest epoch not above', () => {
    for (const log of logs()) {
      const cache = cacheOf(log);
      for (let epoch = -1; epoch <= MAX_EPOCH + 1; epoch++) {
        const answer = cache.endOffsetFor(epoch, log.length);
        const latest = log.at(-1) ?? -1;
        if (epoch < 0 || epoch > latest) {
          expect(answer).toBeUndefined();
          continue;
        }
        const end = log.findLastIndex((e) => e <= epoch) + 1;
        const floor = log[end - 1];
        expect(answer).toEqual({ epoch: floor ?? epoch, endOffset: end });
      }
    }
  });

  test('D-1.3 truncation from the end equals the cache of the shorter log', () => {
    for (const log of logs()) {
      for (let offset = 0; offset <= log.length + 1; offset++) {
        const cache = cacheOf(log);
        const before = cache.entries.length;
        expect(cache.truncateFromEnd(offset)).toBe(cacheOf(log.slice(0, offset)).entries.length !== before);
        expect(cache.entries).toEqual(cacheOf(log.slice(0, offset)).entries);
      }
    }
  });

  test('D-1.3 truncation from the start keeps one entry for what is left', () => {
    for (const log of logs()) {
      for (let offset = 0; offset < log.length; offset++) {
        const cache = cacheOf(log);
        cache.truncateFromStart(offset);
        for (let at = offset; at < log.length; at++) expect(cache.epochOf(at)).toBe(log[at]);
        expect(cache.entries[0]?.startOffset).toBe(offset);
        if (offset > 0) expect(cache.epochOf(offset - 1)).toBe(-1);
      }
    }
  });

  test('D-1.1 any assignment leaves the entries strictly increasing and answers for its offset', () => {
    for (const log of logs()) {
      for (let epoch = 0; epoch <= MAX_EPOCH; epoch++) {
        for (let offset = 0; offset <= MAX_OFFSET; offset++) {
          const cache = cacheOf(log);
          cache.assign(epoch, offset);
          expect(cache.epochOf(offset)).toBe(epoch);
          expect(() => new LeaderEpochCache(cache.entries)).not.toThrow();
        }
      }
    }
  });

  test('D-0.3 an epoch without records: the next one at the same offset takes its place', () => {
    const cache = new LeaderEpochCache([{ epoch: 2, startOffset: 0 }]);
    cache.assign(5, 10);
    expect(cache.endOffsetFor(5, 10)).toEqual({ epoch: 5, endOffset: 10 });
    cache.assign(6, 10);
    expect(cache.entries).toEqual([
      { epoch: 2, startOffset: 0 },
      { epoch: 6, startOffset: 10 },
    ]);
    expect(cache.endOffsetFor(5, 10)).toEqual({ epoch: 2, endOffset: 10 });
  });
});

describe('leader-epoch-checkpoint', () => {
  test("has Kafka's text", () => {
    const entries: EpochEntry[] = [
      { epoch: 0, startOffset: 0 },
      { epoch: 3, startOffset: 120 },
    ];
    expect(encodeEpochs(entries).toString()).toBe('0\n2\n0 0\n3 120\n');
    expect(decodeEpochs('0\n2\n0 0\n3 120\n')).toEqual(entries);
    expect(decodeEpochs('0\n0\n')).toEqual([]);
  });

  test.each([
    '',
    '1\n0\n',
    '0\n1\n',
    '0\n2\n0 0\n',
    '0\n1\n0 0',
    '0\n2\n1 5\n1 6\n',
    '0\n2\n1 5\n2 5\n',
    '0\n1\nx 5\n',
  ])('is refused if malformed: %j', (text) => {
    expect(decodeEpochs(text)).toBeUndefined();
  });
});
