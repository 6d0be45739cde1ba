// The loss ledger as `kvorum partition losses` prints it.
import { expect, test } from 'vitest';
import { lossesText } from '../../../src/cli/commands/partition-losses.ts';
import type { LossDescription } from '../../../src/gen/kvorum/v1/admin.ts';
import type { ReplicaLossRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import { LossKind } from '../../../src/gen/kvorum/v1/metadata.ts';

function said(brokerId: number, kind: LossKind, fields: Partial<ReplicaLossRecord> = {}): ReplicaLossRecord {
  const at = { topicId: 'id', partition: 3, brokerId, leaderEpoch: 6, kind, reason: '' };
  return { ...at, fromOffset: 0, toOffset: 0, highWatermark: -1, ...fields };
}

const ELECTION: LossDescription = {
  topic: 'orders',
  topicId: 'AAAAAAAAAAAAAAAAAAAAAg',
  partition: 3,
  offset: 120,
  timestampMs: 1_769_860_800_000,
  leader: 5,
  oldLeaderEpoch: 5,
  newLeaderEpoch: 6,
  oldIsr: [],
  oldElr: [4],
  cause: 'asked for by an administrator',
  replicas: [
    said(5, LossKind.LED, { fromOffset: 100, toOffset: 100, highWatermark: 98 }),
    said(6, LossKind.CUT, { fromOffset: 100, toOffset: 104, highWatermark: 102 }),
  ],
  awaited: [4],
  firstOffset: 100,
  endOffset: 104,
  unregistered: [],
};

const FOUND: LossDescription = {
  ...ELECTION,
  partition: 0,
  leader: -1,
  oldLeaderEpoch: 9,
  newLeaderEpoch: 9,
  oldElr: [],
  timestampMs: -1,
  cause: '',
  replicas: [said(4, LossKind.GONE, { fromOffset: -1, toOffset: -1, reason: 'its log dir X is lost' })],
  awaited: [],
  firstOffset: 0,
  endOffset: 0,
};

test('what is lost in one table, what each replica says in another', () => {
  expect(lossesText([ELECTION, FOUND], false)).toBe(`\
PARTITION  WHEN                      LEADER  LEADER EPOCH  LOST                                     SURELY COMMITTED    WAITS FOR  ALLOWED BY
orders-3   2026-01-31T12:00:00.000Z  5       5 → 6         offsets 100 to 103, and what is awaited  offsets 100 to 101  4          asked for by an administrator
orders-0   -                         -       9             not known                                not known           -          nobody

PARTITION  LEADER EPOCH  WHAT A REPLICA SAYS
orders-3   6             broker 5 led, and went on from offset 100
orders-3   6             broker 6 cut offsets 100 to 103, of which it knew offsets 100 to 101 to be committed
orders-0   9             broker 4 will not say what it had: its log dir X is lost`);
});

test('wide has the replicas of before, the record, and the epochs and high watermarks of the replicas', () => {
  expect(lossesText([{ ...ELECTION, replicas: ELECTION.replicas.slice(1) }], true)).toBe(`\
PARTITION  WHEN                      LEADER  LEADER EPOCH  LOST                                     SURELY COMMITTED    WAITS FOR  ALLOWED BY                     ISR BEFORE  ELR BEFORE  RECORD  TOPIC ID
orders-3   2026-01-31T12:00:00.000Z  5       5 → 6         offsets 100 to 103, and what is awaited  offsets 100 to 101  4          asked for by an administrator  -           4           120     AAAAAAAAAAAAAAAAAAAAAg

PARTITION  LEADER EPOCH  WHAT A REPLICA SAYS                                                                   SAID IN EPOCH  HIGH WATERMARK
orders-3   6             broker 6 cut offsets 100 to 103, of which it knew offsets 100 to 101 to be committed  6              102`);
});

test.each<[string, Partial<LossDescription>, string]>([
  ['nobody has said anything', { replicas: [], firstOffset: 0, endOffset: 0 }, 'not known yet'],
  ['all have said it', { awaited: [] }, 'offsets 100 to 103'],
  ['nothing is lost', { awaited: [], replicas: [], firstOffset: 0, endOffset: 0 }, 'nothing'],
  [
    'some never will',
    { awaited: [], replicas: [...ELECTION.replicas, said(4, LossKind.GONE)] },
    'offsets 100 to 103, or more',
  ],
  ['those waited for are not registered', { unregistered: [4] }, '4 (not registered)'],
])('where %s it says so', (_, fields, text) => {
  const [, row = ''] = lossesText([{ ...ELECTION, ...fields }], false).split('\n');
  expect(row.split(/ {2,}/)).toContain(text);
});

test.each<[string, Partial<LossDescription>, string]>([
  ['replicas are waited for', { replicas: [] }, 'not known'],
  ['a replica will never say', { awaited: [], replicas: [said(4, LossKind.GONE)] }, 'not known'],
  ['all have said that they had nothing', { awaited: [], replicas: [said(6, LossKind.CUT)] }, 'nothing'],
])('where %s it is said of what was surely committed, too', (_, fields, text) => {
  const loss = { ...ELECTION, ...fields, firstOffset: 0, endOffset: 0 };
  const [head = '', row = ''] = lossesText([loss], false).split('\n');
  expect(row.slice(head.indexOf('SURELY COMMITTED'), head.indexOf('WAITS FOR')).trim()).toBe(text);
});

test('no loss is no table', () => {
  expect(lossesText([], true)).toBe('');
});
