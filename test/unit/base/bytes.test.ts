import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asBuffer, ByteReader, BytesError, ByteWriter } from '../../../src/base/bytes.ts';

type Kind =
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'float64'
  | 'uvarint'
  | 'varint'
  | 'varlong';

function written(kind: Kind, value: number): Buffer {
  const writer = new ByteWriter(1);
  writer[kind](value);
  return writer.finish();
}

function reread(kind: Kind, value: number): number {
  const reader = new ByteReader(written(kind, value));
  const got = reader[kind]();
  expect(reader.remaining).toBe(0);
  return got;
}

const signed = (bits: number) => ({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 });
const unsigned = (bits: number) => ({ min: 0, max: 2 ** bits - 1 });
const safe = { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER };

const INTEGERS: readonly [Kind, { min: number; max: number }][] = [
  ['int8', signed(8)],
  ['uint8', unsigned(8)],
  ['int16', signed(16)],
  ['uint16', unsigned(16)],
  ['int32', signed(32)],
  ['uint32', unsigned(32)],
  ['int64', safe],
  ['uvarint', unsigned(32)],
  ['varint', signed(32)],
  ['varlong', safe],
];

/** An integer of the range, of any magnitude, or close to where an encoding grows by a byte. */
function integer({ min, max }: { min: number; max: number }): fc.Arbitrary<number> {
  const boundary = fc
    .tuple(fc.integer({ min: 0, max: 53 }), fc.integer({ min: -2, max: 2 }), fc.boolean())
    .map(([power, near, negative]) => (negative ? -(2 ** power) : 2 ** power) + near)
    .filter((value) => value >= min && value <= max);
  return fc.oneof(fc.constantFrom(min, max), fc.integer({ min, max }), boundary);
}

describe.each(INTEGERS)('%s', (kind, range) => {
  test('what is written is read', () => {
    fc.assert(
      fc.property(integer(range), (value) => {
        expect(reread(kind, value)).toBe(value);
      }),
    );
  });

  test('a value beyond its range is refused', () => {
    for (const value of [range.min - 1, range.max + 1]) expect(() => written(kind, value)).toThrow(RangeError);
  });

  test('no prefix of the encoding is enough', () => {
    fc.assert(
      fc.property(integer(range), (value) => {
        const whole = written(kind, value);
        for (let end = 0; end < whole.length; end++) {
          expect(() => new ByteReader(whole, 0, end)[kind]()).toThrow(BytesError);
        }
      }),
    );
  });
});

test('float64 keeps every number', () => {
  fc.assert(
    fc.property(fc.double(), (value) => {
      expect(reread('float64', value)).toBe(value);
    }),
  );
});

test('fractions do not pass for integers', () => {
  for (const kind of ['int64', 'uvarint', 'varint', 'varlong'] as const) {
    expect(() => written(kind, 1.5)).toThrow(RangeError);
    expect(() => written(kind, Number.NaN)).toThrow(RangeError);
  }
});

test('64-bit fields agree with bigint, and with Buffer', () => {
  fc.assert(
    fc.property(integer(safe), (value) => {
      const expected = Buffer.alloc(8);
      expected.writeBigInt64BE(BigInt(value));
      expect(written('int64', value)).toEqual(expected);
      expect(new ByteReader(expected).bigint64()).toBe(BigInt(value));
    }),
  );
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      const writer = new ByteWriter();
      writer.bigint64(value);
      expect(new ByteReader(writer.finish()).bigint64()).toBe(value);
      if (!Number.isSafeInteger(Number(value))) {
        expect(() => new ByteReader(writer.finish()).int64()).toThrow(BytesError);
      }
    }),
  );
});

// Protocol Buffers' encoding guide and Kafka's ByteUtilsTest.
test.each([
  ['uvarint', 0, '00'],
  ['uvarint', 127, '7f'],
  ['uvarint', 128, '8001'],
  ['uvarint', 150, '9601'],
  ['uvarint', 2 ** 31 - 1, 'ffffffff07'],
  ['uvarint', 2 ** 32 - 1, 'ffffffff0f'],
  ['varint', 0, '00'],
  ['varint', -1, '01'],
  ['varint', 1, '02'],
  ['varint', 63, '7e'],
  ['varint', -64, '7f'],
  ['varint', 64, '8001'],
  ['varint', -65, '8101'],
  ['varint', 8191, 'fe7f'],
  ['varint', -8192, 'ff7f'],
  ['varint', 2 ** 31 - 1, 'feffffff0f'],
  ['varint', -(2 ** 31), 'ffffffff0f'],
  ['varlong', -1, '01'],
  ['varlong', 64, '8001'],
  ['varlong', 2 ** 31 - 1, 'feffffff0f'],
  ['varlong', -(2 ** 31), 'ffffffff0f'],
  ['varlong', 17179869183, 'feffffff7f'],
  ['varlong', -17179869184, 'ffffffff7f'],
  ['varlong', 17179869184, '808080808001'],
] as const)('%s of %d is %s', (kind, value, hex) => {
  expect(written(kind, value).toString('hex')).toBe(hex);
  expect(reread(kind, value)).toBe(value);
});

test.each([
  ['uvarint', 'ffffffff10', 'one bit more than 32'],
  ['uvarint', '808080808000', 'six bytes'],
  ['varint', 'ffffffff1f', 'one bit more than 32'],
  ['varint', 'ffffffffff01', 'six bytes'],
  ['varlong', 'ffffffffffffffffff01', 'beyond the safe integers'],
  ['varlong', '80808080808080808002', 'one bit more than 64'],
  ['varlong', '80808080808080808004', 'two bits more than 64'],
  ['varlong', '8080808080808080808000', 'eleven bytes'],
] as const)('%s %s is refused: %s', (kind, hex, _) => {
  expect(() => new ByteReader(Buffer.from(hex, 'hex'))[kind]()).toThrow(BytesError);
});

describe('bytes and strings', () => {
  test('what is written is read, one after the other, from any capacity', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.string({ unit: 'grapheme', maxLength: 20 }))),
        fc.nat(64),
        (parts, capacity) => {
          const writer = new ByteWriter(capacity);
          for (const part of parts) {
            if (typeof part === 'string') writer.utf8(part);
            else writer.bytes(part);
          }
          const reader = new ByteReader(writer.finish());
          for (const part of parts) {
            if (typeof part === 'string') expect(reader.utf8(Buffer.byteLength(part))).toBe(part);
            else expect(reader.bytes(part.length)).toEqual(Buffer.from(part));
          }
          expect(reader.remaining).toBe(0);
        },
      ),
    );
  });

  test('a reader stays inside its bounds', () => {
    const reader = new ByteReader(Buffer.from('abcdef'), 1, 4);
    expect(reader.remaining).toBe(3);
    expect(() => reader.bytes(4)).toThrow('4 bytes wanted at 1, 3 left');
    expect(() => reader.bytes(-1)).toThrow(BytesError);
    expect(reader.utf8(3)).toBe('bcd');
    expect(() => reader.int8()).toThrow(BytesError);
    expect(reader.position, 'a refused read moves nothing').toBe(4);
  });

  test('bytes are views of the same memory', () => {
    const memory = new Uint8Array([1, 2, 3, 4]);
    const view = asBuffer(memory.subarray(1, 3));
    expect(new ByteReader(view).bytes(2)).toEqual(Buffer.from([2, 3]));
    memory[1] = 9;
    expect(view[0]).toBe(9);
    expect(asBuffer(view)).toBe(view);
  });
});
