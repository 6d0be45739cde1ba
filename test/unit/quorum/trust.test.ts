// what the note says, what was loaded, and which differences stop the node.
import { expect, test } from 'vitest';
import type { DurableEnd } from '../../../src/quorum/durable-end.ts';
import { NOTHING_DURABLE } from '../../../src/quorum/durable-end.ts';
import { loadedLogOf, verifyNothingLost, whatWasLost } from '../../../src/quorum/trust.ts';
import type { Batch, DurableState, QuorumState } from '../../../src/raft/types.ts';
import { uuid } from '../metadata/fixture.ts';

const node = (id: number) => ({ id, directoryId: uuid(id) });

function batch(baseOffset: number, epoch: number, records: number): Batch {
  return { baseOffset, epoch, control: false, records: Array.from({ length: records }, () => Buffer.from('x')) };
}

const STATE: QuorumState = { leaderId: 2, leaderEpoch: 3, votedKey: node(2) };
const DURABLE: DurableState = {
  quorumState: STATE,
  snapshots: [],
  batches: [batch(0, 1, 2), batch(2, 1, 3), batch(5, 3, 4)],
};
const NOTE: DurableEnd = { logEndOffset: 9, lastEpoch: 3, leaderEpoch: 3, votedKey: node(2) };

function lost(note: Partial<DurableEnd>, durable: Partial<DurableState> = {}): string | undefined {
  return whatWasLost({ ...NOTE, ...note }, loadedLogOf({ ...DURABLE, ...durable }));
}

test('nothing is missing where the database holds what the note says, or more', () => {
  expect(lost({})).toBeUndefined();
  expect(lost(NOTHING_DURABLE)).toBeUndefined();
  expect(lost({ logEndOffset: 5, lastEpoch: 1 })).toBeUndefined();
  expect(lost({ leaderEpoch: 2, votedKey: node(7) })).toBeUndefined();
  expect(lost({ votedKey: undefined })).toBeUndefined();
  expect(lost({}, { quorumState: { leaderId: -1, leaderEpoch: 4, votedKey: undefined } })).toBeUndefined();
  expect(
    whatWasLost(NOTHING_DURABLE, loadedLogOf({ quorumState: undefined, snapshots: [], batches: [] })),
  ).toBeUndefined();
});

test('a wiped database', () => {
  expect(lost({}, { batches: [] })).toMatch(/the metadata log is empty, .*offset 9 once: the database was wiped/);
});

test('a lost tail', () => {
  expect(lost({ logEndOffset: 11 })).toMatch(/ends at offset 9, though it was durable up to offset 11 once: it lost/);
});

test('another log: the record that was durable has another epoch, or is the middle of a batch', () => {
  expect(lost({ lastEpoch: 2 })).toMatch(/record of epoch 3 before offset 9, where one of epoch 2 was durable/);
  expect(lost({ logEndOffset: 5, lastEpoch: 3 })).toMatch(/record of epoch 1 before offset 5/);
});

test('a quorum state that went back: its epoch, or the vote in it', () => {
  expect(lost({ leaderEpoch: 4 })).toMatch(/the quorum state is of epoch 3, though epoch 4 was durable once/);
  expect(lost({}, { quorumState: undefined })).toMatch(/the quorum state is of epoch 0/);
  expect(lost({ votedKey: node(1) })).toMatch(/does not have the vote for node 1 in epoch 3/);
  expect(lost({}, { quorumState: { ...STATE, votedKey: undefined } })).toMatch(/the vote for node 2 in epoch 3/);
  expect(lost({ votedKey: { id: 2, directoryId: uuid(9) } })).toMatch(/the vote for node 2 in epoch 3/);
});

test('a log that begins with a snapshot: compared at its end and above, trusted below', () => {
  const id = { endOffset: 5, epoch: 1 };
  const trimmed = { snapshots: [{ id, voters: [], sizeBytes: 10 }], batches: [batch(5, 3, 4)] };
  expect(lost({}, trimmed)).toBeUndefined();
  expect(lost({ logEndOffset: 5, lastEpoch: 1 }, trimmed)).toBeUndefined();
  expect(lost({ logEndOffset: 5, lastEpoch: 2 }, trimmed)).toMatch(/epoch 1 before offset 5/);
  expect(lost({ logEndOffset: 2, lastEpoch: 7 }, trimmed)).toBeUndefined();
  expect(lost({ logEndOffset: 6, lastEpoch: 1 }, { ...trimmed, batches: [] })).toMatch(/ends at offset 5/);
});

test('the refusal names the reason and the file', () => {
  expect(() => {
    verifyNothingLost('/data', { ...NOTE, logEndOffset: 20 }, loadedLogOf(DURABLE));
  }).toThrow(/offset 20 once.*must not take part.*\/data\/durable-end/);
  expect(() => {
    verifyNothingLost('/data', NOTE, loadedLogOf(DURABLE));
  }).not.toThrow();
});
