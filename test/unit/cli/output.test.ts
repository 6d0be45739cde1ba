// How answers are printed.
import { expect, test } from 'vitest';
import { explanation, recordText } from '../../../src/cli/commands/partition-explain.ts';
import { columns, isoTime, list, plain, table } from '../../../src/cli/output.ts';

test('a table has its columns aligned and no blanks at the ends', () => {
  const rows = [
    ['orders', 6],
    ['a', 12],
  ];
  expect(table(['TOPIC', 'N'], rows)).toBe('TOPIC   N\norders  6\na       12');
  expect(table(['TOPIC', 'N'], [])).toBe('TOPIC  N');
});

test('wide has the columns that text leaves out', () => {
  const all = [
    { head: 'A', cell: (row: number) => row },
    { head: 'B', cell: (row: number) => row * 2, wide: true },
  ];
  expect(columns(false, all, [1, 2])).toBe('A\n1\n2');
  expect(columns(true, all, [1, 2])).toBe('A  B\n1  2\n2  4');
});

test('times are ISO 8601 in UTC', () => {
  expect(isoTime(1_769_860_800_000)).toBe('2026-01-31T12:00:00.000Z');
  expect(isoTime(-1)).toBe('-');
  expect(isoTime(Number.MAX_SAFE_INTEGER)).toBe('9007199254740991');
});

test('an empty list is a dash', () => {
  expect(list([])).toBe('-');
  expect(list([4, 5])).toBe('4,5');
});

test('programs get bytes as base64, and nothing for what is not there', () => {
  const answer = {
    reply: new Uint8Array([1, 2, 255]),
    error: undefined,
    items: [{ at: 0, none: null, no: undefined }],
  };
  expect(plain(answer)).toEqual({ reply: 'AQL/', items: [{ at: 0, none: null }] });
  expect(Object.keys(plain(answer) as object)).toEqual(['reply', 'items']);
});

const decidedBy = { offset: 120, epoch: 3, timestampMs: 1_769_860_800_000, cause: 'broker 4 fenced' };

test('a record is named as far as it is known', () => {
  expect(recordText(decidedBy)).toBe('record 120 of epoch 3 at 2026-01-31T12:00:00.000Z: broker 4 fenced');
  expect(recordText({ offset: 120, epoch: -1, timestampMs: -1, cause: '' })).toBe('record 120');
  expect(recordText({ offset: -1, epoch: -1, timestampMs: -1, cause: '' })).toBe('a record whose offset is not known');
});

test('an explanation says who leads, by which record, who could, and what would change it', () => {
  const answer = {
    topicId: 'id',
    error: undefined,
    state: {
      partition: 3,
      leader: -1,
      leaderEpoch: 7,
      partitionEpoch: 12,
      replicas: [4, 5],
      isr: [],
      elr: [4],
      lastKnownLeader: 5,
      recovering: false,
      adding: [],
      removing: [],
      directories: [],
      leaderOffset: 120,
    },
    verdict: 'nobody leads: both replicas are on fenced brokers',
    decidedBy,
    replicas: [
      { brokerId: 4, inIsr: false, inElr: true, eligible: false, reason: 'broker 4 is fenced', brokerState: decidedBy },
      { brokerId: 5, inIsr: false, inElr: false, eligible: false, reason: 'not in the ISR', brokerState: undefined },
    ],
    whatWouldChange: ['broker 4 comes back'],
    metadataEndOffset: 130,
  };
  expect(explanation('orders-3', answer, false)).toBe(`orders-3: nobody leads: both replicas are on fenced brokers
decided by record 120 of epoch 3 at 2026-01-31T12:00:00.000Z: broker 4 fenced
leader none, leader epoch 7, partition epoch 12, ISR -, ELR 4, led last by 5

BROKER  IN ISR  IN ELR  CAN LEAD  WHY
4       no      yes     no        broker 4 is fenced
5       no      no      no        not in the ISR

What would change it:
  - broker 4 comes back`);
  expect(explanation('orders-3', answer, true)).toContain('STATE OF ITS BROKER\n');
});
