import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { isUuid, uuidFromBytes, uuidToBytes, ZERO_UUID } from '../../../src/base/uuid.ts';

const sixteen = fc.uint8Array({ minLength: 16, maxLength: 16 });

test('bytes to text and back', () => {
  fc.assert(
    fc.property(sixteen, fc.nat(8), (bytes, at) => {
      const within = new Uint8Array(32);
      within.set(bytes, at);
      const uuid = uuidFromBytes(within, at);
      expect(uuid).toHaveLength(22);
      expect(isUuid(uuid)).toBe(true);
      expect(uuidToBytes(uuid)).toEqual(Buffer.from(bytes));
    }),
  );
});

test("Kafka's text of well-known ids", () => {
  expect(uuidFromBytes(new Uint8Array(16))).toBe(ZERO_UUID);
  // Uuid.METADATA_TOPIC_ID, Java's new UUID(0, 1).
  expect(uuidFromBytes(Buffer.from('00000000000000000000000000000001', 'hex'))).toBe('AAAAAAAAAAAAAAAAAAAAAQ');
  expect(uuidToBytes('4L6g3nShT-eMCtK--X86sw').toString('hex')).toBe('e0bea0de74a14fe78c0ad2bef97f3ab3');
});

test.each([
  ['', 'empty'],
  ['4L6g3nShT-eMCtK--X86s', 'too short'],
  ['4L6g3nShT-eMCtK--X86sww', 'too long'],
  ['4L6g3nShT-eMCtK--X86sx', 'bits beyond the 128th'],
  ['4L6g3nShT+eMCtK//X86sw', 'plain base64'],
  ['4L6g3nShT-eMCtK--X86sw==', 'padded'],
  ['4L6g3nShT-eMCtK--X86 w', 'a space'],
])('%s is none: %s', (text) => {
  expect(isUuid(text)).toBe(false);
  expect(() => uuidToBytes(text)).toThrow(RangeError);
});

test('too few bytes are refused', () => {
  expect(() => uuidFromBytes(new Uint8Array(15))).toThrow(RangeError);
  expect(() => uuidFromBytes(new Uint8Array(20), 5)).toThrow(RangeError);
});
