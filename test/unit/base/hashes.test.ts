import * as crc32 from '@node-rs/crc32';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32c } from '../../../src/base/crc32c.ts';
import { murmur2, partitionForKey } from '../../../src/base/murmur2.ts';

describe('crc32c', () => {
  // RFC 3720, B.4, and the check value of the CRC catalogues.
  test.each([
    ['123456789', Buffer.from('123456789'), 0xe3069283],
    ['nothing', Buffer.alloc(0), 0],
    ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
    ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
    ['0 to 31', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
    ['31 to 0', Buffer.from(Array.from({ length: 32 }, (_, i) => 31 - i)), 0x113fdb5c],
  ])('of %s', (_, bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected);
  });

  test('agrees with a foreign implementation', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(crc32c(bytes)).toBe(crc32.crc32c(Buffer.from(bytes)));
      }),
    );
  });

  test('of a range, and continued from what came before', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, at) => {
        const cut = Math.min(at, bytes.length);
        expect(crc32c(bytes, cut)).toBe(crc32c(bytes.slice(cut)));
        expect(crc32c(bytes, cut, bytes.length, crc32c(bytes, 0, cut))).toBe(crc32c(bytes));
      }),
    );
  });
});

describe('murmur2', () => {
  // Kafka's UtilsTest.testMurmur2.
  const JAVA: readonly [string, number][] = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ];

  test.each(JAVA)('of %s is what Java gives', (text, expected) => {
    expect(murmur2(Buffer.from(text))).toBe(expected);
  });

  test.each(JAVA)('the partition of %s has the sign bit cleared first', (text, hash) => {
    expect(partitionForKey(Buffer.from(text), 7)).toBe(Number(BigInt.asUintN(31, BigInt(hash)) % 7n));
  });

  test('every key has a partition', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.integer({ min: 1, max: 10_000 }), (key, partitionCount) => {
        const partition = partitionForKey(key, partitionCount);
        expect(partition).toBeGreaterThanOrEqual(0);
        expect(partition).toBeLessThan(partitionCount);
        expect(murmur2(key)).toBe(murmur2(key) | 0);
      }),
    );
  });
});
