// A log that begins above offset 0, and what a leader with such a log answers, exhaustively in small scopes.
import { describe, expect, it } from 'vitest';
import { EpochCache } from '../../../src/raft/epoch-cache.ts';
import { RaftLog } from '../../../src/raft/log.ts';
import type { RaftState } from '../../../src/raft/state.ts';
import { createRaft } from '../../../src/raft/state.ts';
import { step } from '../../../src/raft/step.ts';
import type { Batch, FetchResponse, RaftEffect, Snapshot } from '../../../src/raft/types.ts';
import { CLUSTER, keyOf, keys, logOf, quorumState, show, voterSet, votersRecord } from './notation.ts';

/** Every list of up to `length` epochs out of 1..`highest` that never goes down: a log of one-record batches. */
function* epochLists(length: number, highest: number, from = 1): Generator<number[]> {
  yield [];
  if (length === 0) return;
  for (let epoch = from; epoch <= highest; epoch++) {
    for (const rest of epochLists(length - 1, highest, epoch)) yield [epoch, ...rest];
  }
}

const VOTERS = voterSet(1);

function batchesOf(epochs: readonly number[]): Batch[] {
  return epochs.map((epoch, baseOffset) => {
    const control = baseOffset === 0;
    return { baseOffset, epoch, control, records: [control ? votersRecord(VOTERS) : Buffer.from(`${baseOffset}`)] };
  });
}

function snapshotAt(epochs: readonly number[], endOffset: number): Snapshot {
  return { id: { endOffset, epoch: epochs[endOffset - 1] ?? 0 }, voters: VOTERS, sizeBytes: 100 };
}

describe('R-10.3 the epoch cache of a trimmed log, exhaustively over logs of up to 5 batches', () => {
  it('answers for every epoch from the one before the log start on as the whole log would', () => {
    for (const epochs of epochLists(5, 4)) {
      for (let start = 1; start <= epochs.length; start++) {
        const startEpoch = epochs[start - 1] ?? 0;
        const whole = new EpochCache();
        const trimmed = new EpochCache();
        for (const [offset, epoch] of epochs.entries()) {
          whole.assign(epoch, offset);
          trimmed.assign(epoch, offset);
        }
        trimmed.trim(start, startEpoch);
        // The same batches appended to an empty log that begins there.
        const begun = new EpochCache();
        begun.reset(start, startEpoch);
        for (const [offset, epoch] of epochs.entries()) if (offset >= start) begun.assign(epoch, offset);
        for (const cache of [trimmed, begun]) {
          expect(cache.lastEpoch).toBe(whole.lastEpoch);
          for (let epoch = startEpoch; epoch <= 5; epoch++) {
            expect(cache.endOffsetFor(epoch, epochs.length)).toEqual(whole.endOffsetFor(epoch, epochs.length));
          }
          for (let offset = start; offset <= epochs.length; offset++) {
            expect(cache.epochBefore(offset)).toBe(epochs[offset - 1]);
          }
          // Nothing of it can be cut below the log start.
          cache.truncate(start);
          expect(cache.lastEpoch).toBe(startEpoch);
        }
      }
    }
  });
});

describe('R-10.3 the log in memory', () => {
  const text = '1* 1:a,b 2* 2:c 3:d';

  function trimmedAt(endOffset: number): RaftLog {
    const log = new RaftLog();
    expect(log.load([], logOf(keys(1, 2, 3), text))).toBeUndefined();
    log.trim({ endOffset, epoch: endOffset > 4 ? 2 : 1 });
    return log;
  }

  it('forgets what lies below its start, and goes on above', () => {
    const log = trimmedAt(4);
    expect([log.startOffset, log.endOffset, log.flushedEndOffset, log.lastEpoch, log.isEmpty]).toEqual([
      4,
      7,
      7,
      3,
      false,
    ]);
    expect(show(log.slice(log.startOffset, 7))).toBe('2* 2:c 3:d');
    expect(show(log.read(4, 0))).toBe('2*');
    expect([0, 3, 4, 5, 9].map((offset) => log.boundaryAtOrBelow(offset))).toEqual([4, 4, 4, 5, 7]);
    expect(log.voters).toEqual(voterSet(1, 2, 3));
  });

  it('may be cut down to its start, no further, and still knows the epoch and the voters there', () => {
    const log = trimmedAt(4);
    log.truncate(4);
    expect([log.startOffset, log.endOffset, log.lastEpoch, log.isEmpty]).toEqual([4, 4, 1, false]);
    expect(log.voters).toEqual(voterSet(1, 2, 3));
    expect(
      log.appendablePrefix([{ baseOffset: 4, epoch: 1, control: false, records: [Buffer.from('x')] }], 9),
    ).toBeUndefined();
  });

  it('R-10.1 contains the ends of its batches with their epochs, and nothing else', () => {
    const log = trimmedAt(4);
    const found: string[] = [];
    for (let endOffset = 0; endOffset <= 8; endOffset++) {
      for (let epoch = 0; epoch <= 4; epoch++)
        if (log.contains({ endOffset, epoch })) found.push(`${endOffset}-${epoch}`);
    }
    expect(found).toEqual(['4-1', '5-2', '6-2', '7-3']);
  });

  it('R-11.3 keeps the set in force at its start, whichever record wrote it, and those after', () => {
    const log = new RaftLog();
    log.load([], logOf(keys(1, 2, 3), '1* 1^1,2 1:a 1^1 1:b'));
    expect([0, 1, 2, 3, 4, 5, 6].map((offset) => log.votersAsOf(offset)?.length)).toEqual([
      undefined,
      3,
      3,
      2,
      2,
      1,
      1,
    ]);
    log.trim({ endOffset: 4, epoch: 1 });
    expect([4, 5, 6].map((offset) => log.votersAsOf(offset)?.length)).toEqual([2, 1, 1]);
    log.truncate(4);
    expect(log.voters).toEqual(voterSet(1, 2));
  });

  it('R-10.5 begins anew with a snapshot, durable when its op is', () => {
    const log = trimmedAt(4);
    const [, , , , last] = logOf(keys(1, 2, 3), text);
    if (last === undefined) throw new Error('five batches');
    log.append([{ ...last, baseOffset: 7 }], 1);
    log.reset({ id: { endOffset: 20, epoch: 5 }, voters: voterSet(2, 3), sizeBytes: 9 }, 2);
    expect([log.startOffset, log.endOffset, log.flushedEndOffset, log.lastEpoch]).toEqual([20, 20, 0, 5]);
    expect(log.voters).toEqual(voterSet(2, 3));
    // M-7: the append of the old log proves nothing of this one.
    expect(log.flushed(1)).toBe(false);
    expect(log.flushed(2)).toBe(true);
    expect(log.flushedEndOffset).toBe(20);
  });

  it('R-1.7 loads from the end of the oldest snapshot on, without a gap', () => {
    const oldest = { id: { endOffset: 4, epoch: 1 }, voters: voterSet(1, 2, 3), sizeBytes: 9 };
    const batches = logOf(keys(1, 2, 3), text);
    const log = new RaftLog();
    expect(log.load([oldest], batches.slice(2))).toBeUndefined();
    expect([log.startOffset, log.endOffset, log.flushedEndOffset]).toEqual([4, 7, 7]);
    expect(new RaftLog().load([oldest], batches.slice(3))).toContain('base offset 5, log end 4');
    expect(new RaftLog().load([oldest], batches)).toContain('base offset 0, log end 4');
    expect(new RaftLog().load([{ ...oldest, id: { endOffset: 4, epoch: 9 } }], batches.slice(2))).toContain(
      'epoch 2 after 9',
    );
  });
});

/** The only voter, started with that log and catalogue: it leads the next epoch but one, above all of the log. */
function leaderWith(epochs: readonly number[], ends: readonly number[]): RaftState {
  const state = createRaft(
    {
      clusterId: CLUSTER,
      replica: keyOf(1),
      voterIds: [1],
      endpoints: new Map(),
      electionTimeoutMs: 1000,
      fetchTimeoutMs: 2000,
      requestTimeoutMs: 2000,
      retryBackoffMs: 20,
      fetchMaxWaitMs: 500,
      fetchMaxBytes: 1000,
      snapshotChunkBytes: 10,
    },
    { below: () => 0 },
  );
  const snapshots = ends.map((end) => snapshotAt(epochs, end));
  const batches = batchesOf(epochs).slice(ends[0] ?? 0);
  const effects: RaftEffect[] = [];
  step(
    state,
    { type: 'start', now: 0, durable: { quorumState: quorumState(epochs.at(-1) ?? 0), snapshots, batches } },
    effects,
  );
  for (let op = 1; op <= 9; op++) step(state, { type: 'diskDone', now: 0, op }, effects);
  expect(effects.filter(({ type }) => type === 'fatal')).toEqual([]);
  expect(state.role.name).toBe('leader');
  return state;
}

/** word by word. `epochs`: of the leader's whole history, its LeaderChange batch included. */
function answerByRule(
  epochs: readonly number[],
  ends: readonly number[],
  fetchOffset: number,
  lastEpoch: number,
): string {
  const [earliest] = ends;
  const latest = ends.at(-1);
  const logStart = earliest ?? 0;
  if (fetchOffset === 0 && latest !== undefined) return `snapshot ${latest}`;
  if (logStart === 0 && fetchOffset === 0) return 'valid';
  if (earliest !== undefined) {
    const epoch = epochs[earliest - 1] ?? 0;
    if (fetchOffset < earliest || (fetchOffset === earliest && lastEpoch !== epoch) || lastEpoch < epoch) {
      return `snapshot ${latest}`;
    }
  }
  const upTo = epochs.filter((epoch) => epoch <= lastEpoch);
  const epoch = upTo.at(-1);
  if (epoch !== lastEpoch || upTo.length < fetchOffset) return `diverging ${epoch ?? lastEpoch} ${upTo.length}`;
  return 'valid';
}

function answerOf(state: RaftState, fetchOffset: number, lastFetchedEpoch: number): string {
  const effects: RaftEffect[] = [];
  const message = {
    type: 'fetch' as const,
    clusterId: CLUSTER,
    replicaKey: keyOf(2),
    currentLeaderEpoch: state.epoch,
    fetchOffset,
    lastFetchedEpoch,
    maxWaitMs: 0,
    highWatermark: -1,
  };
  step(state, { type: 'request', now: 0, call: 1, message }, effects);
  const reply = effects.find((effect) => effect.type === 'reply')?.message as FetchResponse;
  expect(reply.error).toBe('NONE');
  if (reply.snapshotId !== undefined) return `snapshot ${reply.snapshotId.endOffset}`;
  return reply.diverging === undefined ? 'valid' : `diverging ${reply.diverging.epoch} ${reply.diverging.endOffset}`;
}

describe('R-6.2 the answer to a fetch, exhaustively over logs of up to 4 batches with every catalogue', () => {
  it('is the one that the rule names, for every fetch offset and last fetched epoch', () => {
    let cases = 0;
    for (const epochs of epochLists(4, 3)) {
      if (epochs.length === 0) continue;
      const catalogues: number[][] = [[]];
      for (let older = 1; older <= epochs.length; older++) {
        catalogues.push([older]);
        for (let newer = older + 1; newer <= epochs.length; newer++) catalogues.push([older, newer]);
      }
      for (const ends of catalogues) {
        const state = leaderWith(epochs, ends);
        const history = [...epochs, state.epoch];
        for (let offset = 0; offset <= history.length + 1; offset++) {
          for (let epoch = 0; epoch <= state.epoch; epoch++) {
            cases++;
            expect(answerOf(state, offset, epoch), `${history} ${ends}: ${offset} ${epoch}`).toBe(
              answerByRule(history, ends, offset, epoch),
            );
          }
        }
      }
    }
    expect(cases).toBeGreaterThan(5000);
  });
});
