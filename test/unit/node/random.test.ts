import { expect, test } from 'vitest';
import { randomUuid } from '../../../src/env/random.ts';
import { createRandom } from '../../../src/node/random.ts';

test('no bytes are given out twice, however few are asked for at once', () => {
  const random = createRandom();
  // Several pools of them.
  const ids = Array.from({ length: 2000 }, () => randomUuid(random, 'test'));
  expect(new Set(ids).size).toBe(ids.length);
});

test('as many bytes as asked for, which whoever changes them has for himself', () => {
  const random = createRandom();
  for (const count of [0, 1, 16, 63, 64, 65, 4096, 5000]) expect(random.bytes('test', count)).toHaveLength(count);
  const first = random.bytes('test', 16);
  const kept = Buffer.from(first);
  random.bytes('test', 16).fill(0);
  expect(first).toEqual(kept);
});
