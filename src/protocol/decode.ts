// Compiles a declared field, for one version, into closures that read it: which fields exist, their lengths and what
// may be null are settled here, not while reading. Safe against hostile input: nesting is the schema's, an array's
// count is checked against the bytes that remain before anything is built, unknown tagged fields are skipped.
import { assert } from '../base/assert.ts';
import { ByteReader } from '../base/bytes.ts';
import type { Decode } from './primitives.ts';
import { FIXED_KINDS, isVariable, lengthDecoder, lengthSize, noValue, variableDecoder } from './primitives.ts';
import { ProtocolError } from './protocol-error.ts';
import type { ArrayField, Field, StructField } from './schema.ts';
import { hasVersion } from './schema.ts';

type Struct = Record<string, unknown>;

/** A reader of `field` in `version`; `path` names it in errors. */
export function compileDecoder(field: Field, version: number, flexible: boolean, path: string): Decode {
  const nullable = hasVersion(field.nullable, version);
  if (field.kind === 'array') return arrayDecoder(field, version, flexible, nullable, path);
  if (field.kind === 'struct') {
    const decode = structDecoder(field, version, flexible, path);
    return nullable ? nullableStructDecoder(decode, path) : decode;
  }
  if (isVariable(field.kind)) return variableDecoder(field.kind, flexible, nullable, path);
  return FIXED_KINDS[field.kind].decode;
}

/** The fewest bytes that any value of the field takes. */
function minimumSize(field: Field, version: number, flexible: boolean): number {
  if (field.kind === 'array') return lengthSize('array', flexible);
  if (field.kind === 'struct') {
    if (hasVersion(field.nullable, version)) return 1;
    let size = flexible ? 1 : 0;
    for (const inner of Object.values(field.fields)) {
      if (inner.tag === undefined && hasVersion(inner.versions, version)) size += minimumSize(inner, version, flexible);
    }
    return size;
  }
  return isVariable(field.kind) ? lengthSize(field.kind, flexible) : FIXED_KINDS[field.kind].size;
}

function arrayDecoder(field: ArrayField, version: number, flexible: boolean, nullable: boolean, path: string): Decode {
  const decodeLength = lengthDecoder('array', flexible);
  const decodeElement = compileDecoder(field.element, version, flexible, path);
  const elementSize = minimumSize(field.element, version, flexible);
  assert(elementSize > 0, () => `${path}: elements without bytes cannot be counted safely`);
  return (reader) => {
    const count = decodeLength(reader);
    if (count < 0) return noValue(count, nullable, path);
    if (count > reader.remaining / elementSize) {
      throw new ProtocolError(`${path}: ${count} elements do not fit into ${reader.remaining} bytes`);
    }
    const elements: unknown[] = [];
    for (let i = 0; i < count; i++) elements.push(decodeElement(reader));
    return elements;
  };
}

function nullableStructDecoder(decode: Decode, path: string): Decode {
  return (reader) => {
    const presence = reader.int8();
    return presence < 0 ? noValue(presence, true, path) : decode(reader);
  };
}

interface TaggedDecoder {
  readonly name: string;
  readonly decode: Decode;
}

function structDecoder(field: StructField, version: number, flexible: boolean, path: string): Decode {
  const names: string[] = [];
  const decoders: Decode[] = [];
  const tagged = new Map<number, TaggedDecoder>();
  for (const [name, inner] of Object.entries(field.fields)) {
    if (!hasVersion(inner.versions, version)) continue;
    const decode = compileDecoder(inner, version, flexible, `${path}.${name}`);
    if (inner.tag === undefined) {
      names.push(name);
      decoders.push(decode);
    } else {
      assert(flexible, () => `${path}.${name}: tagged in version ${version}, which is not flexible`);
      tagged.set(inner.tag, { name, decode });
    }
  }
  const template = templateOf(field);
  return (reader) => {
    const struct = { ...template };
    for (let i = 0; i < names.length; i++) struct[names[i] as string] = (decoders[i] as Decode)(reader);
    if (flexible) decodeTagged(reader, tagged, struct, path);
    return struct;
  };
}

/** An object with every field's default; messages are copies of it, filled in. */
function templateOf(field: StructField): Struct {
  const entries = Object.entries(field.fields);
  return Object.fromEntries(entries.map(([name, { defaultValue }]) => [name, defaultValue]));
}

function decodeTagged(
  reader: ByteReader,
  known: ReadonlyMap<number, TaggedDecoder>,
  struct: Struct,
  path: string,
): void {
  const count = reader.uvarint();
  for (let i = 0; i < count; i++) {
    const tag = reader.uvarint();
    const size = reader.uvarint();
    const at = reader.skip(size);
    const field = known.get(tag);
    if (field === undefined) continue;
    const inner = new ByteReader(reader.buffer, at, at + size);
    struct[field.name] = field.decode(inner);
    if (inner.remaining > 0) throw new ProtocolError(`${path}.${field.name}: ${inner.remaining} bytes too many`);
  }
}

const NO_TAGS: ReadonlyMap<number, TaggedDecoder> = new Map();

/** Skips the tagged fields of a struct that declares none (headers). */
export function skipTagged(reader: ByteReader, path: string): void {
  decodeTagged(reader, NO_TAGS, {}, path);
}
