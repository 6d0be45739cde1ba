// Records of the metadata log for people, a line each, and for programs, a JSON object each.
import type { ControlRecord, MetadataBatch } from '../gen/kvorum/v1/admin.ts';
import type { MetadataRecord } from '../gen/kvorum/v1/metadata.ts';

/** One record as it is printed. */
export interface PrintedRecord {
  /** Undefined in a snapshot, whose records are a state and no history. */
  readonly offset?: number;
  readonly epoch?: number;
  /** As in the `kind` of MetadataRecord and ControlRecord; `unknown` for those of a newer version. */
  readonly type: string;
  readonly record: object;
}

export function recordsOfBatch({ baseOffset, epoch, records, controlRecords }: MetadataBatch): PrintedRecord[] {
  const bodies = [...records.map(bodyOfRecord), ...controlRecords.map(bodyOfControl)];
  return bodies.map((body, i) => ({ offset: baseOffset + i, epoch, ...body }));
}

export function bodyOfRecord({ kind }: MetadataRecord): Pick<PrintedRecord, 'type' | 'record'> {
  return kind === undefined ? { type: 'unknown', record: {} } : bodyOf(kind);
}

function bodyOfControl({ kind }: ControlRecord): Pick<PrintedRecord, 'type' | 'record'> {
  if (kind === undefined) return { type: 'unknown', record: {} };
  if (kind.$case === 'unknown') return { type: 'unknown', record: { hex: Buffer.from(kind.unknown).toString('hex') } };
  return bodyOf(kind);
}

/** `{ $case: 'topic', topic: { … } }`, as ts-proto has the fields of a oneof. */
function bodyOf(kind: { readonly $case: string }): Pick<PrintedRecord, 'type' | 'record'> {
  const fields = (kind as unknown as Record<string, object>)[kind.$case] ?? {};
  return { type: kind.$case, record: fields };
}

/** `    12  3  topic  name=orders topicId=…`. */
export function recordLine({ offset, epoch, type, record }: PrintedRecord): string {
  const place = offset === undefined ? '' : `${String(offset).padStart(8)}  ${String(epoch).padStart(4)}  `;
  return `${place}${type.padEnd(15)}  ${fieldsText(record)}`.trimEnd();
}

function fieldsText(fields: object): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value]) => `${name}=${valueText(value)}`)
    .join(' ');
}

function valueText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(valueText).join(', ')}]`;
  if (typeof value === 'object' && value !== null) return `{${fieldsText(value)}}`;
  return typeof value === 'string' && /[\s=,[\]{}]/.test(value) ? JSON.stringify(value) : String(value);
}
