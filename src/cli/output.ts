// What commands print: tables for people, JSON and YAML for programs.
import type { Format } from './common-options.ts';

/** Prints one answer, or one of many: as it is for programs, as the text for people. */
export type Show = (answer: object, text: (wide: boolean) => string) => void;

/** Text that is empty prints nothing. */
export async function shower(format: Format): Promise<Show> {
  if (format === 'json') return (answer) => console.log(JSON.stringify(plain(answer)));
  if (format === 'yaml') {
    const { stringify } = await import('yaml');
    return (answer) => process.stdout.write(`---\n${stringify(plain(answer), { lineWidth: 0 })}`);
  }
  return (_, text) => {
    const printed = text(format === 'wide');
    if (printed !== '') console.log(printed);
  };
}

/** The only answer of a command. */
export async function print(format: Format, answer: object, text: (wide: boolean) => string): Promise<void> {
  (await shower(format))(answer, text);
}

/** What JSON and YAML have no form for, in one that they have: bytes as base64; what is not there is left out. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .map(([name, field]) => [name, plain(field)]),
  );
}

export type Cell = string | number;

/** Columns aligned, header first; every row has a cell per column. */
export function table(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const lines = [header, ...rows.map((row) => row.map(String))];
  const widths = header.map((_, column) => lines.reduce((max, line) => Math.max(max, (line[column] ?? '').length), 0));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** A column of a table: its head and its cell of a row. */
export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => Cell;
  /** Only with `--format wide`. */
  readonly wide?: boolean;
}

/** The columns that are asked for. */
export function columns<Row>(wide: boolean, all: readonly Column<Row>[], rows: readonly Row[]): string {
  const shown = all.filter((column) => wide || column.wide !== true);
  return table(
    shown.map(({ head }) => head),
    rows.map((row) => shown.map(({ cell }) => cell(row))),
  );
}

/** Of JavaScript's dates. */
const MAX_DATE_MS = 8.64e15;

/** `2026-01-31T12:00:00.000Z`; `none` for a time that is not known (negative, as in our messages). */
export function isoTime(timestampMs: number, none = '-'): string {
  if (timestampMs < 0) return none;
  return timestampMs > MAX_DATE_MS ? String(timestampMs) : new Date(timestampMs).toISOString();
}

/** `4,5,6`, or `-` for none. */
export function list(items: readonly Cell[]): string {
  return items.length === 0 ? '-' : items.join(',');
}
