import { expect, test } from 'vitest';
import type { LossReport, ReplicaCut } from '../../../src/check/replica-cuts.ts';
import { checkAnnounced, checkCarriedOut } from '../../../src/check/replica-cuts.ts';

const LED = 1;
const CUT = 2;

function cut(change: Partial<ReplicaCut> = {}): ReplicaCut {
  const place = { topicId: 'T', partition: 0, brokerId: 4, leaderEpoch: 3 };
  return { ...place, fromOffset: 10, toOffset: 20, highWatermark: 15, ...change };
}

function report(change: Partial<LossReport> = {}): LossReport {
  return { ...cut(), kind: CUT, ...change };
}

const nobody = () => false;

test('S-D8: who cuts below its high watermark has said so', () => {
  expect(checkAnnounced(cut(), [])?.property).toBe('S-D8');
  expect(checkAnnounced(cut(), [report({ brokerId: 5 }), report({ leaderEpoch: 2 })])?.property).toBe('S-D8');
  expect(checkAnnounced(cut(), [report({ toOffset: 19 })])?.property).toBe('S-D8');
  expect(checkAnnounced(cut(), [report({ kind: LED })])?.property).toBe('S-D8');
  expect(checkAnnounced(cut(), [report()])).toBeUndefined();
});

test('S-D8: what nobody knew to be committed may be cut without a word; one report may be for several cuts', () => {
  expect(checkAnnounced(cut({ highWatermark: 10 }), [])).toBeUndefined();
  expect(checkAnnounced(cut({ toOffset: 12 }), [report()])).toBeUndefined();
});

test('S-D8: what the ledger says is what was cut', () => {
  expect(checkCarriedOut([], [report()], nobody)?.property).toBe('S-D8');
  expect(checkCarriedOut([cut({ toOffset: 15 })], [report()], nobody)?.property).toBe('S-D8');
  expect(checkCarriedOut([cut()], [report()], nobody)).toBeUndefined();
});

test('S-D8: nothing is cut for what was not there, for what a leader lacks, and where a crash took it first', () => {
  expect(checkCarriedOut([], [report({ toOffset: 10 }), report({ kind: LED })], nobody)).toBeUndefined();
  expect(checkCarriedOut([], [report()], ({ brokerId }) => brokerId === 4)).toBeUndefined();
});
