// What one node keeps for others is bounded: calls per connection and in total, and what a leader cannot commit.
import { expect, test } from 'vitest';
import { InboundCalls } from '../../../src/quorum/inbound-calls.ts';
import { MAX_CALLS, MAX_CALLS_PER_PEER, MAX_UNCOMMITTED_BATCHES } from '../../../src/quorum/limits.ts';
import { Uncommitted } from '../../../src/quorum/uncommitted.ts';
import type { QuorumEpochResponse } from '../../../src/raft/types.ts';

const ANSWER: QuorumEpochResponse = { type: 'quorumEpoch', error: 'NONE', epoch: 1, leaderId: 1 };

test('one connection with too many calls is refused; an answer makes room', async () => {
  const calls = new InboundCalls();
  const ids: number[] = [];
  const open = (peer: string) => calls.open(peer, (call) => ids.push(call));
  const first = open('a');
  for (let i = 1; i < MAX_CALLS_PER_PEER; i++) void open('a');
  await expect(open('a')).rejects.toMatchObject({ status: 'RESOURCE_EXHAUSTED' });
  const other = open('b');
  calls.answer(ids[0] as number, ANSWER);
  calls.answer(ids[0] as number, ANSWER);
  expect(await first).toBe(ANSWER);
  const again = open('a');
  calls.answer(ids.at(-1) as number, ANSWER);
  calls.answer(ids.at(-2) as number, ANSWER);
  expect(await again).toBe(ANSWER);
  expect(await other).toBe(ANSWER);
  expect(ids).toHaveLength(MAX_CALLS_PER_PEER + 2);
});

test('too many calls in total are refused, whoever they are of', async () => {
  const calls = new InboundCalls();
  let opened = 0;
  const outcomes: Promise<unknown>[] = [];
  for (let i = 0; i < MAX_CALLS; i++) outcomes.push(calls.open(`peer ${i}`, () => opened++));
  await expect(calls.open('one more', () => opened++)).rejects.toMatchObject({ status: 'RESOURCE_EXHAUSTED' });
  expect(opened).toBe(MAX_CALLS);
  calls.failAll(() => Object.assign(new Error('stopped')) as never);
  expect((await Promise.allSettled(outcomes)).every(({ status }) => status === 'rejected')).toBe(true);
  void calls.open('now', () => opened++);
  expect(opened).toBe(MAX_CALLS + 1);
});

test('a leader is congested by batches or by bytes, until they are committed or it leads no more', () => {
  const uncommitted = new Uncommitted();
  for (let i = 1; i < MAX_UNCOMMITTED_BATCHES; i++) uncommitted.appended(i, 10);
  expect(uncommitted.isFull).toBe(false);
  uncommitted.appended(MAX_UNCOMMITTED_BATCHES, 10);
  expect(uncommitted.isFull).toBe(true);
  uncommitted.committed(1);
  expect(uncommitted.isFull).toBe(false);
  uncommitted.appended(MAX_UNCOMMITTED_BATCHES + 1, 1 << 30);
  uncommitted.committed(MAX_UNCOMMITTED_BATCHES);
  expect(uncommitted.isFull).toBe(true);
  uncommitted.committed(MAX_UNCOMMITTED_BATCHES + 1);
  expect(uncommitted.isFull).toBe(false);
  uncommitted.appended(1, 1 << 30);
  expect(uncommitted.isFull).toBe(true);
  uncommitted.clear();
  expect(uncommitted.isFull).toBe(false);
});
