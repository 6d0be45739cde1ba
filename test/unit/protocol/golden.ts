// Reads the messages that Apache Kafka made (test/golden/messages) and translates its JSON into our shape by schema.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { AnyApi } from '../../../src/protocol/api.ts';
import { apiByKey } from '../../../src/protocol/registry.ts';
import type { Field, Fields, StructField } from '../../../src/protocol/schema.ts';
import { hasVersion } from '../../../src/protocol/schema.ts';

export interface GoldenMessage {
  readonly api: AnyApi;
  readonly version: number;
  readonly side: 'request' | 'response';
  readonly kind: string;
  readonly headerVersion: number;
  readonly header: Buffer;
  readonly body: Buffer;
  readonly json: Json;
  readonly label: string;
}

export type Json = Readonly<Record<string, unknown>>;

interface Line {
  readonly key: number;
  readonly version: number;
  readonly side: 'request' | 'response';
  readonly kind: string;
  readonly headerVersion: number;
  readonly header: string;
  readonly body: string;
  readonly json: Json;
}

const directory = fileURLToPath(new URL('../../golden/messages/', import.meta.url));

/** Every message in a version that we serve. */
export function readGolden(): GoldenMessage[] {
  const files = readdirSync(directory).filter((name) => name.endsWith('.ndjson'));
  const lines = files.flatMap((name) =>
    readFileSync(directory + name, 'utf8')
      .trimEnd()
      .split('\n'),
  );
  return lines.flatMap((text) => {
    const line = JSON.parse(text) as Line;
    const api = apiByKey(line.key);
    if (api === undefined || !api.supports(line.version)) return [];
    const { version, side, kind, headerVersion, json } = line;
    const label = `${api.name} v${version} ${side} ${kind}`;
    const header = Buffer.from(line.header, 'hex');
    return [{ api, version, side, kind, headerVersion, header, body: Buffer.from(line.body, 'hex'), json, label }];
  });
}

/**
 * Kafka's JSON in the shape that decoding gives, except that records are `{ size }`: fields that the JSON lacks have
 * their default. A JSON field that we have not declared, or not for this version, is an error.
 */
export function fromJson(struct: StructField, version: number, json: Json): Json {
  const result: Record<string, unknown> = {};
  const unknown = new Set(Object.keys(json));
  for (const [name, field] of Object.entries(struct.fields)) {
    const jsonName = isRecords(field) && !(name in json) ? `${name}SizeInBytes` : name;
    const value = json[jsonName];
    unknown.delete(jsonName);
    const exists = hasVersion(field.versions, version);
    if (value !== undefined && !exists) throw new Error(`${name} is not declared for version ${version}`);
    if (value === undefined && exists && field.tag === undefined) throw new Error(`Kafka has no ${name} here`);
    result[name] = value === undefined ? sizeOnly(field, field.defaultValue) : valueFromJson(field, version, value);
  }
  if (unknown.size > 0) throw new Error(`not declared: ${[...unknown].join(', ')}`);
  return result;
}

function isRecords(field: Field): boolean {
  return field.kind === 'records';
}

function valueFromJson(field: Field, version: number, value: unknown): unknown {
  if (value === null) return null;
  if (field.kind === 'struct') return fromJson(field, version, value as Json);
  if (field.kind === 'array') return (value as unknown[]).map((item) => valueFromJson(field.element, version, item));
  if (field.kind === 'records') return { size: value };
  if (field.kind === 'bytes') return Buffer.from(value as string, 'base64');
  // The extreme values are powers of two, so that JSON's double holds them exactly.
  if (field.kind === 'wide64' && !Number.isSafeInteger(value)) return BigInt(value as number);
  // Java holds a uint16 in an int: the generator gave it larger numbers, of which the low 16 bits were written.
  if (field.kind === 'uint16') return (value as number) & 0xffff;
  return value;
}

/** A decoded value with its records replaced by `{ size }`, as in {@link fromJson}. */
export function sizeOnly(field: Field, value: unknown): unknown {
  if (value === null) return null;
  if (field.kind === 'records') return { size: (value as Buffer).length };
  if (field.kind === 'array') return (value as unknown[]).map((item) => sizeOnly(field.element, item));
  if (field.kind !== 'struct') return value;
  const entries = Object.entries(value as Json);
  return Object.fromEntries(entries.map(([name, inner]) => [name, sizeOnly(field.fields[name] as Field, inner)]));
}

/** The same schema with every int64 made wide, so that values beyond the safe integers can be compared too. */
export function widened<F extends Field>(field: F): F {
  if (field.kind === 'int64') return { ...field, kind: 'wide64' };
  if (field.kind === 'array') return { ...field, element: widened(field.element) };
  if (field.kind !== 'struct') return field;
  const entries = Object.entries(field.fields).map(([name, inner]): [string, Field] => [name, widened(inner)]);
  return { ...field, fields: Object.fromEntries(entries) as Fields };
}

/** Whether some field that we read as a safe integer holds more than that. */
export function exceedsSafeIntegers(field: Field, value: unknown): boolean {
  if (value === null || value === undefined) return false;
  if (field.kind === 'int64') return !Number.isSafeInteger(value);
  if (field.kind === 'array') return (value as unknown[]).some((item) => exceedsSafeIntegers(field.element, item));
  if (field.kind !== 'struct') return false;
  return Object.entries(field.fields).some(([name, inner]) => exceedsSafeIntegers(inner, (value as Json)[name]));
}
