import { describe, expect, it } from 'vitest';
import { decodeControlRecord, encodeControlRecord } from '../../../src/raft/control-record.ts';
import { EpochCache } from '../../../src/raft/epoch-cache.ts';
import { batchEndOffset, RaftLog } from '../../../src/raft/log.ts';
import { keyOf, keys, logOf, show, voterOf, voterSet } from './notation.ts';

/** Every list of up to `length` epochs out of 1..4 that never goes down: a log of one-record batches. */
function* epochLists(length: number, from = 1): Generator<number[]> {
  yield [];
  if (length === 0) return;
  for (let epoch = from; epoch <= 4; epoch++) for (const rest of epochLists(length - 1, epoch)) yield [epoch, ...rest];
}

function cacheOf(epochs: readonly number[]): EpochCache {
  const cache = new EpochCache();
  for (const [offset, epoch] of epochs.entries()) cache.assign(epoch, offset);
  return cache;
}

/** D-1.2 read off the log itself. */
function endOffsetNaively(epochs: readonly number[], epoch: number): { epoch: number; endOffset: number } {
  const upTo = epochs.filter((each) => each <= epoch);
  return { epoch: upTo.at(-1) ?? epoch, endOffset: upTo.length };
}

describe('D-1 epoch cache, exhaustively over logs of up to 6 batches', () => {
  it('D-1.1, D-1.2 endOffsetFor: the largest epoch <= the one asked for, and its end', () => {
    for (const epochs of epochLists(6)) {
      const cache = cacheOf(epochs);
      expect(cache.lastEpoch).toBe(epochs.at(-1) ?? 0);
      for (let epoch = 0; epoch <= 5; epoch++) {
        expect(cache.endOffsetFor(epoch, epochs.length)).toEqual(endOffsetNaively(epochs, epoch));
      }
    }
  });

  it('D-1.3 truncation leaves what a cache of the shorter log would hold', () => {
    for (const epochs of epochLists(6)) {
      for (let end = 0; end <= epochs.length; end++) {
        const cache = cacheOf(epochs);
        cache.truncate(end);
        for (let epoch = 0; epoch <= 5; epoch++) {
          expect(cache.endOffsetFor(epoch, end)).toEqual(endOffsetNaively(epochs.slice(0, end), epoch));
        }
      }
    }
  });

  it('R-7.3 a follower that cuts by its leader answers ends on their common prefix', () => {
    for (const leader of epochLists(4)) {
      for (const follower of epochLists(4)) {
        if (follower.length === 0) continue;
        // Two logs of one cluster: same epoch at the same offset means same prefix, and an epoch starts at one offset.
        const common = commonPrefix(leader, follower);
        if (sharesEpochAfter(leader, follower, common)) continue;
        let rest = [...follower];
        for (let round = 0; round < 8; round++) {
          const last = rest.at(-1) ?? 0;
          const end = cacheOf(leader).endOffsetFor(last, leader.length);
          if (rest.length === 0 || (end.epoch === last && end.endOffset >= rest.length)) break;
          const local = cacheOf(rest).endOffsetFor(end.epoch, rest.length);
          rest = rest.slice(0, local.epoch === end.epoch ? Math.min(local.endOffset, end.endOffset) : local.endOffset);
        }
        expect(rest.length, `${leader} | ${follower}`).toBeLessThanOrEqual(leader.length);
        expect(rest).toEqual(leader.slice(0, rest.length));
        expect(rest.length).toBe(common);
      }
    }
  });
});

function commonPrefix(a: readonly number[], b: readonly number[]): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}

/** Whether an epoch has records in both logs that do not begin at the same place: impossible in one cluster. */
function sharesEpochAfter(a: readonly number[], b: readonly number[], common: number): boolean {
  return a.slice(common).some((epoch) => b.slice(common).includes(epoch));
}

function loaded(text: string): RaftLog {
  const log = new RaftLog();
  expect(log.load([], logOf(keys(1, 2, 3), text))).toBeUndefined();
  return log;
}

describe('the log in memory', () => {
  it('reads whole batches: at least one, else within the byte limit', () => {
    const log = loaded('1* 1:aa,bb 1:c 1:dddd');
    expect(show(log.read(2, 0))).toBe('1:aa,bb');
    expect(show(log.read(2, 5))).toBe('1:aa,bb 1:c');
    expect(show(log.read(4, 100))).toBe('1:c 1:dddd');
    expect(log.read(6, 100)).toEqual([]);
    expect(show(log.slice(2, 5))).toBe('1:aa,bb 1:c');
  });

  it('knows its batch boundaries', () => {
    const log = loaded('1* 1:a,b,c 2:d');
    expect([0, 1, 2, 3, 4, 5, 6, 7].map((offset) => log.boundaryAtOrBelow(offset))).toEqual([0, 0, 2, 2, 2, 5, 6, 6]);
  });

  it('M-7 an append that was cut meanwhile does not make its successor count as flushed', () => {
    const log = loaded('1* 1:a');
    const [, , old, other] = logOf(keys(1, 2, 3), '1* 1:a 1:old,old 2:new,new');
    if (old === undefined || other === undefined) throw new Error('two batches');
    log.append([old], 1);
    log.truncate(3);
    log.append([{ ...other, baseOffset: 3 }], 3);
    expect(log.flushed(1)).toBe(false);
    expect([log.flushedEndOffset, log.endOffset]).toEqual([3, 5]);
    // The cut is done, the new batch is not.
    expect(log.flushed(2)).toBe(false);
    expect(log.flushed(3)).toBe(true);
    expect(log.flushedEndOffset).toBe(5);
  });

  it('M-7 the flushed end never lies above a cut', () => {
    const log = loaded('1* 1:a 1:b');
    log.truncate(3);
    expect(log.flushedEndOffset).toBe(3);
    log.truncate(0);
    expect([log.flushedEndOffset, log.endOffset, log.lastEpoch]).toEqual([0, 0, 0]);
  });

  it('R-11.3 voter sets are in force when appended and restored when cut', () => {
    const log = loaded('1* 1:a');
    const second = voterSet(1, 2, 4);
    const records = [encodeControlRecord({ type: 'voters', voters: second })];
    log.append([{ baseOffset: 3, epoch: 1, control: true, records }], 1);
    expect(log.voters).toEqual(second);
    log.truncate(3);
    expect(log.voters).toEqual(voterSet(1, 2, 3));
    log.truncate(0);
    expect(log.voters).toBeUndefined();
  });

  it('R-7.5 refuses what cannot follow, and names the first such batch', () => {
    const log = loaded('1* 2*');
    const [a, b] = [
      { baseOffset: 3, epoch: 2, control: false, records: [Buffer.from('a')] },
      { baseOffset: 4, epoch: 3, control: false, records: [Buffer.from('b')] },
    ];
    expect(log.appendablePrefix([a, b], 3)).toBeUndefined();
    expect(log.appendablePrefix([a, b], 2)).toMatchObject({ index: 1, reason: expect.stringContaining('epoch 3') });
    expect(log.appendablePrefix([b], 3)).toMatchObject({ index: 0, reason: expect.stringContaining('base offset') });
    expect(log.appendablePrefix([{ ...a, epoch: 1 }], 3)).toMatchObject({ index: 0 });
    expect(log.appendablePrefix([{ ...a, records: [] }], 3)).toMatchObject({ index: 0 });
    expect(log.appendablePrefix([{ ...a, control: true }], 3)).toMatchObject({ index: 0 });
  });

  it('R-0.3a, R-1.7 a log that does not begin with the voters is none', () => {
    const log = new RaftLog();
    expect(log.load([], [{ baseOffset: 0, epoch: 1, control: false, records: [Buffer.from('a')] }])).toContain(
      'voters',
    );
  });
});

describe('control records', () => {
  const leaderChange = {
    type: 'leaderChange' as const,
    leader: keyOf(1),
    voters: keys(1, 2, 3),
    grantingVoters: keys(1, 3),
  };

  it('come back as they were', () => {
    const recovery = {
      type: 'recovery' as const,
      replica: keyOf(1),
      previousVoters: voterSet(1, 2, 3),
      committedEndOffset: 2 ** 40,
      timestampMs: 1_800_000_000_000,
    };
    for (const record of [leaderChange, { type: 'voters' as const, voters: voterSet(0, 7) }, recovery]) {
      expect(decodeControlRecord(encodeControlRecord(record))).toEqual(record);
    }
  });

  it('are undefined, never a throw, where the bytes are cut, extended or of another kind', () => {
    const bytes = encodeControlRecord(leaderChange);
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeControlRecord(bytes.subarray(0, length))).toBeUndefined();
    }
    expect(decodeControlRecord(Buffer.concat([bytes, Buffer.alloc(1)]))).toBeUndefined();
    expect(decodeControlRecord(Buffer.from([0, 9, 0, 0]))).toBeUndefined();
  });

  it('hold no voter set with a repeated id, an unknown disk, or nobody', () => {
    const zero = { id: 2, directoryId: 'AAAAAAAAAAAAAAAAAAAAAA' };
    for (const voters of [[keyOf(1), keyOf(1, 2)], [keyOf(1), zero], []]) {
      expect(decodeControlRecord(encodeControlRecord({ type: 'voters', voters: voters.map(voterOf) }))).toBeUndefined();
    }
  });

  it('batches end after their last record', () => {
    expect(logOf(keys(1), '1* 1:a,b').map(batchEndOffset)).toEqual([2, 4]);
  });
});
