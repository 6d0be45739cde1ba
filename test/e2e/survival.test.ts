// The checks that the power cuts rely on refuse what they must refuse.
import { expect, it } from 'vitest';
import type { Promised } from './acknowledged.ts';
import type { KcatRecord } from './kcat.ts';
import { allOf, disorder, latestOf, newestOf } from './survival.ts';

function record(offset: number, n: number, partition = 0): KcatRecord {
  return { topic: 't', partition, offset, ts: 0, key: null, payload: `w-${n}` };
}

function promise(offset: number, n: number, partition = 0): Promised {
  return { payload: `w-${n}`, partition, offset };
}

const promised = [0, 1, 2, 3].map((n) => promise(n, n));

it('every record', () => {
  const records = [0, 1, 2, 3].map((n) => record(n, n));
  expect(allOf(promised, [...records, record(4, 4)])).toEqual([]);
  expect(allOf(promised, records.slice(0, 3))).toEqual(['w-3 was acknowledged at partition 0, offset 3, and is lost']);
});

it('the newest records of each partition', () => {
  expect(newestOf(promised, [record(2, 2), record(3, 3)])).toEqual([]);
  expect(newestOf(promised, [record(1, 1), record(3, 3)])).toHaveLength(1);
  expect(newestOf(promised, [record(2, 2)])).toHaveLength(1);
  expect(newestOf([...promised, promise(0, 9, 1)], [record(2, 2), record(3, 3)])).toHaveLength(1);
});

it('the latest record of each key', () => {
  const latest = latestOf((n) => String(n % 2));
  expect(latest(promised, [record(2, 2), record(3, 3)])).toEqual([]);
  expect(latest(promised, [record(3, 3), record(4, 4)])).toEqual([]);
  expect(latest(promised, [record(0, 0), record(3, 3)])).toEqual([
    'w-2 was acknowledged at partition 0, offset 2, and is lost',
  ]);
});

it('their order', () => {
  expect(disorder([record(5, 0), record(6, 4), record(2, 1, 1)], 'no gaps')).toEqual([]);
  expect(disorder([record(0, 0), record(2, 4)], 'no gaps')).toHaveLength(1);
  expect(disorder([record(0, 0), record(2, 4)], 'gaps')).toEqual([]);
  expect(disorder([record(0, 4), record(1, 0)], 'gaps')).toHaveLength(1);
  expect(disorder([record(1, 0), record(1, 1)], 'gaps')).toHaveLength(1);
});
