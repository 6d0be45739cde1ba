// The check that the crash tests rely on refuses what it must refuse.
import { expect, it } from 'vitest';
import { violations } from './acknowledged.ts';
import type { KcatRecord } from './kcat.ts';

const promises = {
  acknowledged: new Map([
    ['a', { partition: 0, offset: 0 }],
    ['b', { partition: 1, offset: 0 }],
    ['c', { partition: 1, offset: -1 }],
  ]),
  unknown: new Set(['d']),
};

function record(payload: string, partition: number, offset: number): KcatRecord {
  return { topic: 't', partition, offset, ts: 0, key: null, payload };
}

const good = [record('a', 0, 0), record('b', 1, 0), record('c', 1, 1)];

it('accepts what was acknowledged, with or without records of unknown outcome', () => {
  expect(violations(promises, good)).toEqual([]);
  expect(violations(promises, [...good, record('d', 0, 1)])).toEqual([]);
});

it('refuses loss, a wrong place, doubles, and what was never sent', () => {
  expect(violations(promises, good.slice(1))).toEqual(['a was acknowledged and is lost']);
  expect(violations(promises, [record('a', 0, 5), ...good.slice(1)])).toEqual([
    'a is at partition 0, offset 5, told was partition 0, offset 0',
  ]);
  expect(violations(promises, [...good, record('b', 1, 2)])).toEqual([
    'b is there twice, again at partition 1, offset 2',
  ]);
  expect(violations(promises, [...good, record('d', 0, 1), record('d', 0, 2)])).toHaveLength(1);
  expect(violations(promises, [...good, record('e', 0, 1)])).toEqual(['e at partition 0, offset 1 was never sent']);
});
