import { expect, test, vi } from 'vitest';
import { AssertionError, assert, must, unreachable } from '../../../src/base/assert.ts';

test('assert throws what it is told, and builds the message only then', () => {
  const message = vi.fn(() => 'costly');
  assert(true, message);
  expect(message).not.toHaveBeenCalled();
  expect(() => assert(false, message)).toThrow(new AssertionError('costly'));
  expect(() => assert(0, 'zero')).toThrow(new AssertionError('zero'));
});

test('must lets through everything but null and undefined', () => {
  for (const value of [0, '', false, Number.NaN]) expect(must(value, 'value')).toBe(value);
  for (const value of [null, undefined]) expect(() => must(value, 'the leader')).toThrow('the leader is missing');
});

test('unreachable names what came', () => {
  expect(() => unreachable('learner' as never, 'role')).toThrow('unexpected role: "learner"');
});
