import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sharedDirectories, sharedIds } from '../../../src/metadata/shared-lists.ts';

test('equal lists of brokers are one list, which is equal to each of them', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 31 - 1 }), { maxLength: 6 }), (ids) => {
      const first = sharedIds([...ids]);
      expect(first).toEqual(ids);
      expect(sharedIds([...ids])).toBe(first);
    }),
  );
});

test('lists that take the same place, or differ in length or order alone, stay apart', () => {
  // More lists than places.
  const lists = Array.from({ length: 10_000 }, (_, i) => [i, i + 1, i + 2]);
  const shared = lists.map((list) => sharedIds(list));
  expect(shared).toEqual(lists);
  expect(sharedIds([1, 2])).toEqual([1, 2]);
  expect(sharedIds([2, 1])).toEqual([2, 1]);
  expect(sharedIds([1, 2, 3])).toEqual([1, 2, 3]);
});

test('directories of the same brokers are compared by what they are', () => {
  const first = sharedDirectories(['a', 'b'], [1, 2]);
  expect(sharedDirectories(['a', 'b'], [1, 2])).toBe(first);
  expect(sharedDirectories(['a', 'c'], [1, 2])).toEqual(['a', 'c']);
  expect(first).toEqual(['a', 'b']);
});

test('who changes its own list afterwards does not change the one that is shared', () => {
  const own = [7, 8, 9];
  const shared = sharedIds(own);
  own.push(10);
  expect(shared).toEqual([7, 8, 9]);
  expect(sharedIds([7, 8, 9])).toEqual([7, 8, 9]);
});
