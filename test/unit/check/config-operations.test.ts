// S-M9 for configs and numbers of partitions: good histories pass, bad ones do not.
import { describe, expect, test } from 'vitest';
import type { ConfigAction, CountAction } from '../../../src/check/config-operations.ts';
import { checkConfigOperations, checkCountOperations } from '../../../src/check/config-operations.ts';

const OPEN = Number.POSITIVE_INFINITY;

function told<Action>(invokedAtMs: number, answeredAtMs: number, action: Action, object = 'o') {
  return { object, invokedAtMs, answeredAtMs, action };
}

describe('configs', () => {
  const set = (value: string): ConfigAction => ({ type: 'set', value });
  const is = (value?: string): ConfigAction => ({ type: 'is', value });
  const reset: ConfigAction = { type: 'reset' };
  const property = (...operations: ReturnType<typeof told<ConfigAction>>[]) =>
    checkConfigOperations(operations).violation?.property;

  test('good: one after the other, at once, and unanswered ones whenever, or never', () => {
    expect(
      property(told(0, 1, is()), told(2, 3, set('a')), told(4, 5, is('a')), told(6, 7, reset), told(8, 9, is())),
    ).toBe(undefined);
    expect(property(told(0, 5, set('a')), told(0, 5, set('b')), told(6, 7, is('a')))).toBe(undefined);
    expect(property(told(0, OPEN, set('a')), told(1, 2, set('b')), told(3, 4, is('b')), told(5, 6, is('a')))).toBe(
      undefined,
    );
    expect(property(told(0, OPEN, reset), told(1, 2, set('b')), told(3, 4, is('b')))).toBe(undefined);
    expect(property(told(0, 1, set('a')), told(2, 3, is(), 'another'))).toBe(undefined);
  });

  test('bad: lost, invented, seen and then not seen', () => {
    expect(property(told(0, 1, set('a')), told(2, 3, is()))).toBe('S-M9');
    expect(property(told(0, 1, set('a')), told(2, 3, set('b')), told(4, 5, is('a')))).toBe('S-M9');
    expect(property(told(0, 1, is('a')))).toBe('S-M9');
    expect(property(told(0, OPEN, set('a')), told(1, 2, is('a')), told(3, 4, is()))).toBe('S-M9');
    expect(property(told(0, 1, set('a')), told(2, 3, reset), told(4, 5, is('a')))).toBe('S-M9');
  });
});

describe('numbers of partitions', () => {
  const grown = (to: number): CountAction => ({ type: 'grown', to });
  const refused = (to: number): CountAction => ({ type: 'refused', to });
  const counted = (count: number): CountAction => ({ type: 'counted', count });
  const property = (...operations: ReturnType<typeof told<CountAction>>[]) =>
    checkCountOperations(operations).violation?.property;

  test('good', () => {
    expect(property(told(0, 1, counted(1)), told(2, 3, grown(4)), told(4, 5, refused(4)), told(6, 7, counted(4)))).toBe(
      undefined,
    );
    expect(property(told(0, OPEN, grown(4)), told(1, 2, counted(1)), told(3, 4, refused(3)))).toBe(undefined);
    expect(property(told(0, 9, grown(4)), told(0, 9, grown(2)), told(10, 11, counted(4)))).toBe(undefined);
  });

  test('bad: fewer, none the wiser, refused without reason', () => {
    expect(property(told(0, 1, grown(4)), told(2, 3, counted(1)))).toBe('S-M9');
    expect(property(told(0, 1, grown(4)), told(2, 3, grown(4)))).toBe('S-M9');
    expect(property(told(0, 1, grown(4)), told(2, 3, grown(3)))).toBe('S-M9');
    expect(property(told(0, 1, refused(2)))).toBe('S-M9');
  });
});
