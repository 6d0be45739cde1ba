// Compiles a declared field, for one version, into closures that write it. A field that the version lacks must be left
// out, have its default, or be declared ignorable: anything else would lose meaning silently and is a ProtocolError.
import { assert } from '../base/assert.ts';
import type { MessageWriter } from './message-writer.ts';
import type { Encode } from './primitives.ts';
import { FIXED_KINDS, isVariable, lengthEncoder, noValue, variableEncoder } from './primitives.ts';
import { ProtocolError } from './protocol-error.ts';
import type { ArrayField, Field, StructField } from './schema.ts';
import { hasVersion, isDefault } from './schema.ts';

type Struct = Readonly<Record<string, unknown>>;

/** A writer of `field` in `version`; `path` names it in errors. Numbers outside a field's range are RangeErrors. */
export function compileEncoder(field: Field, version: number, flexible: boolean, path: string): Encode {
  const nullable = hasVersion(field.nullable, version);
  if (field.kind === 'array') return arrayEncoder(field, version, flexible, nullable, path);
  if (field.kind === 'struct') {
    const encode = structEncoder(field, version, flexible, path);
    return nullable ? nullableStructEncoder(encode) : notNull(encode, path);
  }
  if (isVariable(field.kind)) return variableEncoder(field.kind, flexible, nullable, path);
  return FIXED_KINDS[field.kind].encode;
}

function arrayEncoder(field: ArrayField, version: number, flexible: boolean, nullable: boolean, path: string): Encode {
  const encodeLength = lengthEncoder('array', flexible);
  const encodeElement = compileEncoder(field.element, version, flexible, path);
  return (writer, value) => {
    const elements = value as readonly unknown[] | null;
    if (elements === null) {
      noValue(-1, nullable, path);
      encodeLength(writer, -1);
      return;
    }
    encodeLength(writer, elements.length);
    for (let i = 0; i < elements.length; i++) encodeElement(writer, elements[i]);
  };
}

function nullableStructEncoder(encode: Encode): Encode {
  return (writer, value) => {
    writer.int8(value === null ? -1 : 1);
    if (value !== null) encode(writer, value);
  };
}

function notNull(encode: Encode, path: string): Encode {
  return (writer, value) => {
    if (value === null) noValue(-1, false, path);
    encode(writer, value);
  };
}

interface FieldEncoder {
  readonly name: string;
  readonly field: Field;
  readonly encode: Encode;
}

function structEncoder(struct: StructField, version: number, flexible: boolean, path: string): Encode {
  const plain: FieldEncoder[] = [];
  const tagged: FieldEncoder[] = [];
  const lacking: [string, Field][] = [];
  for (const [name, field] of Object.entries(struct.fields)) {
    if (!hasVersion(field.versions, version)) {
      if (!field.ignorable) lacking.push([name, field]);
      continue;
    }
    const encoder = { name, field, encode: compileEncoder(field, version, flexible, `${path}.${name}`) };
    if (field.tag === undefined) plain.push(encoder);
    else tagged.push(encoder);
    assert(field.tag === undefined || !holdsRecords(field), () => `${path}.${name}: records inside a tagged field`);
  }
  assert(flexible || tagged.length === 0, () => `${path}: tagged fields in version ${version}, which is not flexible`);
  tagged.sort((a, b) => (a.field.tag as number) - (b.field.tag as number));

  return (writer, value) => {
    const values = value as Struct;
    for (let i = 0; i < lacking.length; i++) refuseValue(lacking[i] as [string, Field], values, path);
    for (let i = 0; i < plain.length; i++) {
      const { name, field, encode } = plain[i] as FieldEncoder;
      const fieldValue = values[name];
      encode(writer, fieldValue === undefined ? field.defaultValue : fieldValue);
    }
    if (flexible) encodeTagged(writer, tagged, values);
  };
}

function refuseValue([name, field]: readonly [string, Field], values: Struct, path: string): void {
  if (!isDefault(field, values[name])) {
    throw new ProtocolError(`${path}.${name} has a value, but this version has no such field`);
  }
}

/** Tagged fields that differ from their default, by ascending tag, each behind its tag and size. */
function encodeTagged(writer: MessageWriter, tagged: readonly FieldEncoder[], values: Struct): void {
  let count = 0;
  for (let i = 0; i < tagged.length; i++) {
    const { name, field } = tagged[i] as FieldEncoder;
    if (!isDefault(field, values[name])) count++;
  }
  writer.uvarint(count);
  if (count === 0) return;
  for (const { name, field, encode } of tagged) {
    if (isDefault(field, values[name])) continue;
    writer.uvarint(field.tag as number);
    encodeSized(writer, encode, values[name]);
  }
}

/** Writes a value behind its size: one byte is left for the size first, and the value moved if it needs more. */
function encodeSized(writer: MessageWriter, encode: Encode, value: unknown): void {
  const at = writer.claim(1);
  encode(writer, value);
  const end = writer.position;
  const size = end - at - 1;
  if (size < 0x80) {
    writer.buffer[at] = size;
    return;
  }
  const extra = Math.floor(Math.log2(size) / 7);
  writer.claim(extra);
  writer.buffer.copyWithin(at + 1 + extra, at + 1, end);
  writer.position = at;
  writer.uvarint(size);
  writer.position = end + extra;
}

/** Records are passed by reference, so they could not move with {@link encodeSized}. */
function holdsRecords(field: Field): boolean {
  if (field.kind === 'array') return holdsRecords(field.element);
  return field.kind === 'struct' ? Object.values(field.fields).some(holdsRecords) : field.kind === 'records';
}
