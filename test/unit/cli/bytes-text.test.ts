import { expect, test } from 'vitest';
import { bytesText } from '../../../src/cli/bytes-text.ts';

test.each([
  [-1, '-'],
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 KiB'],
  [1536, '1.5 KiB'],
  [10 * 1024, '10 KiB'],
  [999 * 1024, '999 KiB'],
  [1000 * 1024, '1.0 MiB'],
  [78 * 1024 ** 3, '78 GiB'],
  [2 ** 50, '1.0 PiB'],
  [5000 * 2 ** 50, '5000 PiB'],
])('%d bytes are %s', (bytes, text) => {
  expect(bytesText(bytes)).toBe(text);
});
