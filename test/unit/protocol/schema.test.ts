// The schema language itself, on small schemas of our own: defaults, version ranges, nulls, tags, references.
import { describe, expect, test } from 'vitest';
import { ByteReader } from '../../../src/base/bytes.ts';
import { ZERO_UUID } from '../../../src/base/uuid.ts';
import { compileDecoder } from '../../../src/protocol/decode.ts';
import { compileEncoder } from '../../../src/protocol/encode.ts';
import { MessageWriter } from '../../../src/protocol/message-writer.ts';
import { ProtocolError } from '../../../src/protocol/protocol-error.ts';
import type { Decoded, Encodable, StructField } from '../../../src/protocol/schema.ts';
import {
  array,
  bool,
  bytes,
  float64,
  int8,
  int16,
  int32,
  int64,
  parseVersions,
  records,
  string,
  struct,
  uint16,
  uint32,
  uuid,
  wide64,
} from '../../../src/protocol/schema.ts';

const FLEXIBLE_FROM = 2;

function write<S extends StructField>(schema: S, version: number, value: Encodable<S>): MessageWriter {
  const writer = new MessageWriter();
  compileEncoder(schema, version, version >= FLEXIBLE_FROM, 'Test')(writer, value);
  return writer;
}

function encode<S extends StructField>(schema: S, version: number, value: Encodable<S>): string {
  return Buffer.concat(write(schema, version, value).parts()).toString('hex');
}

function decode<S extends StructField>(schema: S, version: number, hex: string): Decoded<S> {
  const reader = new ByteReader(Buffer.from(hex, 'hex'));
  const value = compileDecoder(schema, version, version >= FLEXIBLE_FROM, 'Test')(reader) as Decoded<S>;
  expect(reader.remaining).toBe(0);
  return value;
}

describe('version ranges', () => {
  test('are Kafka’s three forms', () => {
    expect(parseVersions('3+')).toEqual({ min: 3, max: Number.POSITIVE_INFINITY });
    expect(parseVersions('0-12')).toEqual({ min: 0, max: 12 });
    expect(parseVersions('7')).toEqual({ min: 7, max: 7 });
    expect(() => parseVersions('+3')).toThrow('no version range');
  });
});

describe('scalars', () => {
  const everything = struct({
    bool: bool(),
    int8: int8(),
    int16: int16(),
    uint16: uint16(),
    int32: int32(),
    uint32: uint32(),
    int64: int64(),
    float64: float64(),
    uuid: uuid(),
    string: string(),
    bytes: bytes(),
    records: records({ nullable: '0+' }),
  });
  const value = {
    bool: true,
    int8: -1,
    int16: -2,
    uint16: 65535,
    int32: -3,
    uint32: 4294967295,
    int64: -5_000_000_000,
    float64: 0.5,
    uuid: 'AAECAwQFBgcICQoLDA0ODw',
    string: 'é',
    bytes: Buffer.from([1]),
    records: Buffer.from([2, 3]),
  };
  const fixed = '01fffffeffff' + 'fffffffd' + 'ffffffff' + 'fffffffed5fa0e00' + '3fe0000000000000';
  const id = '000102030405060708090a0b0c0d0e0f';

  test('have int16 and int32 lengths before the flexible versions', () => {
    const hex = `${fixed}${id}0002c3a90000000101000000020203`;
    expect(encode(everything, 0, value)).toBe(hex);
    expect(decode(everything, 0, hex)).toEqual(value);
  });

  test('have compact lengths in flexible versions, which end in tagged fields', () => {
    const hex = `${fixed}${id}03c3a9020103020300`;
    expect(encode(everything, 2, value)).toBe(hex);
    expect(decode(everything, 2, hex)).toEqual(value);
  });

  test('that cannot be written are errors', () => {
    const one = struct({ id: uuid({ default: ZERO_UUID }), n: int8({ default: 0 }), text: string({ default: '' }) });
    expect(() => encode(one, 0, { id: 'short' })).toThrow(RangeError);
    expect(() => encode(one, 0, { n: 128 })).toThrow(RangeError);
    expect(() => encode(one, 0, { text: 'x'.repeat(32768) })).toThrow(/Test.text: a string of 32768 bytes/);
  });

  test('of 64 bits are refused, or kept as bigint, beyond the safe integers', () => {
    expect(() => decode(struct({ n: int64() }), 0, '7fffffffffffffff')).toThrow('outside the safe integers');
    const wide = struct({ n: wide64() });
    for (const [n, hex] of [
      [2n ** 63n - 1n, '7fffffffffffffff'],
      [-(2n ** 63n), '8000000000000000'],
      [Number.MAX_SAFE_INTEGER, '001fffffffffffff'],
      [-1, 'ffffffffffffffff'],
    ] as const) {
      expect(encode(wide, 0, { n })).toBe(hex);
      expect(decode(wide, 0, hex)).toEqual({ n });
    }
  });
});

describe('fields that a version lacks', () => {
  const schema = struct({
    strict: int32({ versions: '1+', default: -1 }),
    lax: string({ versions: '1-2', default: 'none', ignorable: true }),
    list: array(int8(), { versions: '3', default: [] }),
    inner: struct({ n: int8({ default: 4 }) }, { versions: '3+' }),
  });

  test('decode to their default, whatever the version', () => {
    expect(decode(schema, 0, '')).toEqual({ strict: -1, lax: 'none', list: [], inner: { n: 4 } });
    expect(decode(schema, 1, '000000010000')).toEqual({ strict: 1, lax: '', list: [], inner: { n: 4 } });
  });

  test('may be left out, or have their default', () => {
    expect(encode(schema, 0, { inner: {} })).toBe('');
    expect(encode(schema, 0, { strict: -1, list: [], inner: { n: 4 } })).toBe('');
    expect(encode(schema, 3, { strict: 5, list: [7], inner: {} })).toBe('00000005' + '0207' + '0400' + '00');
  });

  test('are dropped if they are ignorable, else refused by name', () => {
    expect(encode(schema, 0, { lax: 'gone', inner: {} })).toBe('');
    expect(() => encode(schema, 0, { strict: 0, inner: {} })).toThrow(ProtocolError);
    expect(() => encode(schema, 0, { strict: 0, inner: {} })).toThrow('Test.strict has a value');
    expect(() => encode(schema, 2, { list: [1], inner: {} })).toThrow('Test.list');
    expect(() => encode(schema, 2, { inner: { n: 5 } })).toThrow('Test.inner');
  });
});

describe('null', () => {
  const schema = struct({
    text: string({ nullable: '1+' }),
    list: array(int8(), { nullable: '1+' }),
    inner: struct({ n: int8() }, { nullable: '1+', default: null }),
  });
  const nothing = { text: null, list: null, inner: null };

  test('is -1, or 0 when compact', () => {
    expect(encode(schema, 1, nothing)).toBe('ffffffffffffff');
    expect(encode(schema, 2, nothing)).toBe('0000ff00');
    expect(decode(schema, 1, 'ffffffffffffff')).toEqual(nothing);
    expect(decode(schema, 2, '0000ff00')).toEqual(nothing);
    expect(decode(schema, 2, '010101050000')).toEqual({ text: '', list: [], inner: { n: 5 } });
  });

  test('is refused by name where the version does not allow it', () => {
    expect(() => encode(schema, 0, nothing)).toThrow('Test.text must not be null');
    expect(() => encode(schema, 0, { ...nothing, text: '' })).toThrow('Test.list must not be null');
    expect(() => encode(schema, 0, { ...nothing, text: '', list: [] })).toThrow('Test.inner must not be null');
    expect(() => decode(schema, 0, 'ffff')).toThrow('Test.text must not be null');
    expect(() => decode(schema, 0, '0000ffffffff')).toThrow('Test.list must not be null');
  });

  test('lengths below -1 are refused', () => {
    expect(() => decode(schema, 1, 'fffe')).toThrow('Test.text: -2 is no length');
    expect(() => decode(schema, 1, '0000fffffffe')).toThrow('Test.list: -2 is no length');
  });
});

describe('tagged fields', () => {
  const schema = struct({
    plain: int8(),
    second: array(struct({ n: int16() }), { versions: '2+', tag: 7 }),
    first: string({ versions: '2+', tag: 1, nullable: '2+', default: null }),
  });

  test('are left out while they have their default', () => {
    expect(encode(schema, 2, { plain: 1 })).toBe('0100');
    expect(encode(schema, 2, { plain: 1, first: null, second: [] })).toBe('0100');
    expect(decode(schema, 2, '0100')).toEqual({ plain: 1, first: null, second: [] });
  });

  test('go by ascending tag, each behind its size', () => {
    const value = { plain: 1, second: [{ n: 3 }], first: 'a' };
    const hex = '01' + '02' + '01' + '02' + '0261' + '07' + '04' + '02000300';
    expect(encode(schema, 2, value)).toBe(hex);
    expect(decode(schema, 2, hex)).toEqual(value);
  });

  test('may be longer than one byte of size can say', () => {
    for (const length of [124, 125, 126, 127, 16_380, 16_381, 16_382, 30_000]) {
      const value = { plain: 1, second: [{ n: 9 }], first: 'x'.repeat(length) };
      expect(decode(schema, 2, encode(schema, 2, value))).toEqual(value);
    }
  });

  test('that we do not know are skipped', () => {
    expect(decode(schema, 2, '01' + '02' + '0502aaaa' + '01020261')).toEqual({ plain: 1, first: 'a', second: [] });
  });

  test('whose size and content disagree are refused', () => {
    expect(() => decode(schema, 2, '01' + '01' + '01' + '03' + '026100')).toThrow('Test.first: 1 bytes too many');
    expect(() => decode(schema, 2, '01' + '01' + '01' + '01' + '0261')).toThrow('bytes wanted');
  });

  test('cannot hold records, nor be in a version that is not flexible', () => {
    const holder = struct({ outer: struct({ records: records({ nullable: '0+' }) }, { tag: 0 }) });
    expect(() => compileEncoder(holder, 2, true, 'Test')).toThrow('records inside a tagged field');
    const early = struct({ n: int8({ tag: 0 }) });
    expect(() => compileEncoder(early, 0, false, 'Test')).toThrow('not flexible');
    expect(() => compileDecoder(early, 0, false, 'Test')).toThrow('not flexible');
    expect(() => struct({ a: int8({ tag: 0 }), b: int8({ tag: 0 }) })).toThrow('the same tag');
  });
});

describe('records', () => {
  const schema = struct({ before: int8(), records: records({ nullable: '0+' }), after: int8() });

  test('leave as the very buffers that were given', () => {
    const batch = Buffer.from('batch');
    const parts = write(schema, 0, { before: 1, records: batch, after: 2 }).parts();
    expect(parts).toEqual([Buffer.from('0100000005', 'hex'), batch, Buffer.from('02', 'hex')]);
    expect(parts[1]).toBe(batch);
  });

  test('may come in pieces, and the parts survive growth of the writer', () => {
    const list = struct({ items: array(schema) });
    const item = { before: 1, records: [Buffer.from('ab'), Buffer.alloc(0), Buffer.from('c')], after: 2 };
    const writer = write(list, 0, { items: Array.from({ length: 200 }, () => item) });
    const whole = Buffer.concat(writer.parts());
    expect(whole.length).toBe(writer.length);
    expect(whole.toString('hex')).toBe('000000c8' + '0100000003616263'.concat('02').repeat(200));
  });

  test('are views of the input when decoded', () => {
    const input = Buffer.from('01000000026162' + '02', 'hex');
    const value = compileDecoder(schema, 0, false, 'Test')(new ByteReader(input)) as Decoded<typeof schema>;
    expect(value.records?.toString()).toBe('ab');
    expect(value.records?.buffer).toBe(input.buffer);
  });

  test('keep the difference between none and empty', () => {
    expect(encode(schema, 2, { before: 0, records: null, after: 0 })).toBe('00000000');
    expect(encode(schema, 2, { before: 0, records: Buffer.alloc(0), after: 0 })).toBe('00010000');
    expect(encode(schema, 2, { before: 0, records: [], after: 0 })).toBe('00010000');
  });
});

test('arrays longer than the rest of the input are refused before anything is built', () => {
  const schema = struct({ items: array(struct({ id: uuid(), n: int64() })) });
  expect(() => decode(schema, 0, '7fffffff' + '00'.repeat(24))).toThrow(
    'Test.items: 2147483647 elements do not fit into 24 bytes',
  );
  expect(() => decode(schema, 0, '00000002' + '00'.repeat(47))).toThrow('do not fit');
});

test('what is left out of a message decodes to values that nobody can change', () => {
  const schema = struct({ list: array(int8(), { versions: '1+', default: [] }) });
  const value = decode(schema, 0, '');
  expect(() => (value.list as number[]).push(1)).toThrow(TypeError);
});
