import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32c as portable } from '../../../src/base/crc32c.ts';
import { crc32c } from '../../../src/codec/crc32c.ts';

test('known values (RFC 3720, B.4)', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
  expect(crc32c(Buffer.alloc(0))).toBe(0);
});

test('native and portable agree, whole and on ranges', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1200 }), fc.nat(1200), fc.nat(1200), (bytes, a, b) => {
      const start = Math.min(a, b, bytes.length);
      const end = Math.min(Math.max(a, b), bytes.length);
      expect(crc32c(bytes)).toBe(portable(bytes));
      expect(crc32c(bytes, start, end)).toBe(portable(bytes, start, end));
    }),
  );
});
