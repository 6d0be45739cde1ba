// The numbers of a soak: what is added up, and what is told of coverage.
import { expect, test } from 'vitest';
import { SoakTotals } from './soak-totals.ts';
import type { ChunkReport } from './soak-worker.ts';

const CHUNK: ChunkReport = {
  kind: 'cluster',
  runs: 120,
  events: 6e6,
  virtualMs: 60_000,
  tookMs: 1000,
  counters: { elections: 300 },
  states: [],
  repeated: 1,
  failure: undefined,
};

test('chunks add up', () => {
  const totals = new SoakTotals(['cluster']);
  totals.begin('cluster');
  totals.begin('cluster');
  totals.add(CHUNK);
  totals.add(CHUNK);
  expect(totals.line()).toBe('cluster: 240 runs, 12.0 M events, 6000 k events/s, 60 x real time, 2 of them twice');
  expect(totals.summary()).toMatch(/elections +2500/);
});

test('a counter below its floor is told, once there are enough runs', () => {
  const totals = new SoakTotals(['cluster']);
  totals.add(CHUNK);
  expect(totals.belowFloors()).toEqual([]);
  totals.add(CHUNK);
  const below = totals.belowFloors();
  expect(below.some((line) => line.includes('fault kill'))).toBe(true);
  expect(below.some((line) => line.includes('elections'))).toBe(false);
});

test('the kind that has had less time is known while chunks are out', () => {
  const totals = new SoakTotals(['raft', 'cluster']);
  totals.begin('raft');
  expect(totals.tookMs('raft')).toBeGreaterThan(totals.tookMs('cluster'));
});
