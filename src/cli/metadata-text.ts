// Records of the metadata log for people, a line each, and for programs, a JSON object each.
import type { ControlRecord, MetadataBatch } from '../gen/kvorum/v1/admin.ts';
import type { LossKind, MetadataRecord } from '../gen/kvorum/v1/metadata.ts';
import { ConfigScope } from '../gen/kvorum/v1/metadata.ts';
import { lossKindText } from '../metadata/loss-text.ts';
import { isoTime } from './output.ts';

/** One record as it is printed. */
export interface PrintedRecord {
  /** Undefined in a snapshot, whose records are a state and no history. */
  readonly offset?: number;
  readonly epoch?: number;
  /** When its batch was decided, milliseconds since 1970: of the first record of a batch. */
  readonly timestampMs?: number;
  /** As in the `kind` of MetadataRecord and ControlRecord; `unknown` for those of a newer version. */
  readonly type: string;
  readonly record: object;
}

export function recordsOfBatch({ baseOffset, epoch, records, controlRecords }: MetadataBatch): PrintedRecord[] {
  const bodies: PrintedRecord[] = [...records.map(bodyOfRecord), ...controlRecords.map(bodyOfControl)];
  return bodies.map((body, i) => ({ offset: baseOffset + i, epoch, ...body }));
}

export function bodyOfRecord({ kind, timestampMs }: MetadataRecord): PrintedRecord {
  const body = kind === undefined ? { type: 'unknown', record: {} } : bodyOf(kind);
  return timestampMs === undefined ? body : { ...body, timestampMs };
}

function bodyOfControl({ kind }: ControlRecord): Pick<PrintedRecord, 'type' | 'record'> {
  if (kind === undefined) return { type: 'unknown', record: {} };
  if (kind.$case === 'unknown') return { type: 'unknown', record: { hex: Buffer.from(kind.unknown).toString('hex') } };
  return bodyOf(kind);
}

function scopeText(scope: unknown): string {
  return scope === ConfigScope.TOPIC ? 'topic' : scope === ConfigScope.BROKER ? 'broker' : String(scope);
}

/** `{ $case: 'topic', topic: { … } }`, as ts-proto has the fields of a oneof. */
function bodyOf(kind: { readonly $case: string }): Pick<PrintedRecord, 'type' | 'record'> {
  const fields = (kind as unknown as Record<string, object>)[kind.$case] ?? {};
  return { type: kind.$case, record: withNames(fields) };
}

/** Records have two enums: whose config, and how a replica lost something. */
function withNames(fields: object): object {
  if ('scope' in fields) return { ...fields, scope: scopeText(fields.scope) };
  if ('kind' in fields) return { ...fields, kind: lossKindText(fields.kind as LossKind) };
  if ('awaited' in fields && 'replicas' in fields) {
    return { ...fields, replicas: (fields.replicas as readonly object[]).map(withNames) };
  }
  return fields;
}

/** As programs read it: `{ type: 'record', offset, epoch, kind: 'topic', topic: { … } }`. */
export function recordObject({ type, record, ...place }: PrintedRecord, as = 'record'): object {
  return { type: as, ...place, kind: type, [type]: record };
}

const TIME_WIDTH = isoTime(0).length;

/** `    12     3  2026-01-31T12:00:00.000Z  topic  name=orders topicId=…`; of a snapshot the kind and the fields. */
export function recordLine({ offset, epoch, timestampMs, type, record }: PrintedRecord): string {
  const time = (timestampMs === undefined ? '' : isoTime(timestampMs)).padEnd(TIME_WIDTH);
  const place = offset === undefined ? '' : `${String(offset).padStart(8)}  ${String(epoch).padStart(4)}  ${time}  `;
  return `${place}${type.padEnd(15)}  ${fieldsText(record)}`.trimEnd();
}

function fieldsText(fields: object): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value]) => `${name}=${isTime(name, value) ? isoTime(value) : valueText(value)}`)
    .join(' ');
}

/** Fields that hold times have them in their names. */
function isTime(name: string, value: unknown): value is number {
  return typeof value === 'number' && /timestampMs$/i.test(name);
}

function valueText(value: unknown): string {
  if (value instanceof Uint8Array) return `<${value.length} bytes>`;
  if (Array.isArray(value)) return `[${value.map(valueText).join(', ')}]`;
  if (typeof value === 'object' && value !== null) return `{${fieldsText(value)}}`;
  return typeof value === 'string' && /[\s=,[\]{}]/.test(value) ? JSON.stringify(value) : String(value);
}
