// Random messages of any schema, for property tests.
import fc from 'fast-check';
import { ZERO_UUID } from '../../../src/base/uuid.ts';
import type { Field, ScalarKind, StructField } from '../../../src/protocol/schema.ts';
import { hasVersion } from '../../../src/protocol/schema.ts';

const bytes = fc.uint8Array({ maxLength: 40 }).map((content) => Buffer.from(content));

const SCALARS: Readonly<Record<ScalarKind, fc.Arbitrary<unknown>>> = {
  bool: fc.boolean(),
  int8: fc.integer({ min: -128, max: 127 }),
  int16: fc.integer({ min: -32768, max: 32767 }),
  uint16: fc.integer({ min: 0, max: 65535 }),
  int32: fc.integer(),
  uint32: fc.integer({ min: 0, max: 0xffff_ffff }),
  int64: fc.maxSafeInteger(),
  wide64: fc
    .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    .map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value)),
  float64: fc.double({ noNaN: true }),
  uuid: fc.oneof(
    fc.constant(ZERO_UUID),
    fc.uint8Array({ minLength: 16, maxLength: 16 }).map((id) => Buffer.from(id).toString('base64url')),
  ),
  string: fc.string({ unit: 'grapheme', maxLength: 20 }),
  bytes,
  records: bytes,
};

/** Values of a field as decoding would give them: the default where the version lacks the field. */
export function valueOf(field: Field, version: number): fc.Arbitrary<unknown> {
  if (!hasVersion(field.versions, version)) return fc.constant(field.defaultValue);
  const some = presentValueOf(field, version);
  return hasVersion(field.nullable, version) ? fc.option(some, { freq: 4 }) : some;
}

function presentValueOf(field: Field, version: number): fc.Arbitrary<unknown> {
  if (field.kind === 'array') return fc.array(valueOf(field.element, version), { maxLength: 3 });
  if (field.kind === 'struct') return messageOf(field, version);
  return SCALARS[field.kind];
}

export function messageOf(struct: StructField, version: number): fc.Arbitrary<object> {
  const fields = Object.entries(struct.fields).map(([name, field]) => [name, valueOf(field, version)] as const);
  return fc.record(Object.fromEntries(fields));
}
