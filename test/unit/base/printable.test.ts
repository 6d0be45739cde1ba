import { expect, test } from 'vitest';
import { printable } from '../../../src/base/printable.ts';

test('control characters cannot act, line ends and tabs stay', () => {
  expect(printable('a\x1b[2Jb\0c\x9bd\te\nf')).toBe('a\\x1b[2Jb\\x00c\\x9bd\te\nf');
});

test('what is long loses its middle, not its end', () => {
  expect(printable('x'.repeat(1000))).toHaveLength(1000);
  const short = printable(`there is no topic '${'x'.repeat(300_000)}': create it first`);
  expect(short.length).toBeLessThan(1010);
  expect(short).toMatch(/^there is no topic 'x+ \[…\] x+': create it first$/);
});
