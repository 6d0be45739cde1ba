// What `kvorum log dump` finds, for people: a line each, in columns of fixed width since nobody knows what comes; and for
// programs: the same with keys and values as text.
import type { BatchFinding, Finding, RecordFinding } from '../log/inspect/finding.ts';
import { isoTime } from './output.ts';

/** How bytes of keys and values are shown. */
export type BytesText = (bytes: Buffer) => string;

/** Keys, values and header values as text; null stays null. */
export function findingObject(finding: Finding, bytesText: BytesText): object {
  if (finding.type !== 'record') return finding;
  const { key, value, headers, ...rest } = finding;
  const text = (bytes: Buffer | null): string | null => (bytes === null ? null : bytesText(bytes));
  return { ...rest, key: text(key), value: text(value), headers: headers.map((it) => [it.key, text(it.value)]) };
}

interface BatchColumn {
  readonly head: string;
  readonly width: number;
  readonly cell: (batch: BatchFinding) => string | number;
  readonly wide?: boolean;
}

const BATCH: readonly BatchColumn[] = [
  { head: 'POSITION', width: 10, cell: ({ position }) => position },
  { head: 'SIZE', width: 8, cell: ({ sizeInBytes }) => sizeInBytes },
  { head: 'OFFSETS', width: 21, cell: ({ baseOffset, lastOffset }) => `${baseOffset}..${lastOffset}` },
  { head: 'RECORDS', width: 7, cell: ({ recordsCount }) => recordsCount },
  { head: 'EPOCH', width: 5, cell: ({ leaderEpoch }) => leaderEpoch },
  { head: 'CRC', width: 10, cell: ({ crc }) => crc.toString(16).padStart(8, '0'), wide: true },
  { head: 'CODEC', width: 6, cell: ({ codec }) => codec },
  { head: 'TIME', width: 6, cell: ({ timestampType }) => timestampType.replace('Time', ''), wide: true },
  { head: 'BASE TIMESTAMP', width: 24, cell: ({ baseTimestamp }) => isoTime(baseTimestamp), wide: true },
  { head: 'MAX TIMESTAMP', width: 24, cell: ({ maxTimestamp }) => isoTime(maxTimestamp) },
  { head: 'PRODUCER', width: 12, cell: producerText },
  { head: 'SEQUENCES', width: 22, cell: ({ baseSequence, lastSequence }) => range(baseSequence, lastSequence) },
  { head: 'FLAGS', width: 0, cell: flagsText },
];

function producerText({ producerId, producerEpoch }: BatchFinding): string {
  return producerId === -1 ? '-' : `${producerId}@${producerEpoch}`;
}

function range(first: number, last: number): string {
  return first === -1 ? '-' : `${first}..${last}`;
}

function flagsText(batch: BatchFinding): string {
  const flags = [
    batch.isCrcValid ? '' : 'BAD-CRC',
    batch.isTransactional ? 'transactional' : '',
    batch.isControl ? 'control' : '',
    batch.timestampType === 'LogAppendTime' ? 'append-time' : '',
    batch.deleteHorizonMs === undefined ? '' : `horizon=${isoTime(batch.deleteHorizonMs)}`,
  ];
  return flags.filter((flag) => flag !== '').join(' ');
}

/** Lines of findings in their order: column heads come before the first batch of a file. */
export class FindingText {
  readonly #bytesText: BytesText;
  readonly #verdictsOnly: boolean;
  #needsHead = true;

  /** `verdictsOnly`: nothing but problems and the summaries of files is asked for. */
  constructor(bytesText: BytesText, verdictsOnly: boolean) {
    this.#bytesText = bytesText;
    this.#verdictsOnly = verdictsOnly;
  }

  of(finding: Finding, wide: boolean): string {
    switch (finding.type) {
      case 'file':
        this.#needsHead = true;
        return `${finding.path}: ${finding.kind}, ${finding.sizeInBytes} bytes`;
      case 'batch': {
        const head = this.#needsHead ? `${cells(wide, ({ head: name }) => name)}\n` : '';
        this.#needsHead = false;
        return head + cells(wide, ({ cell }) => cell(finding));
      }
      case 'record':
        return this.#record(finding);
      case 'note':
        return `  note: ${finding.text}`;
      case 'problem':
        return `${finding.path}: position ${finding.position}: ${finding.problem}`;
      case 'summary': {
        const verdict = `${counted(finding.count, 'item')}, ${counted(finding.problems, 'problem')}`;
        return this.#verdictsOnly
          ? `${finding.path}: ${verdict}`
          : `  ${verdict}
`;
      }
      case 'property':
        return `  ${finding.key} = ${finding.value}`;
      case 'checkpoint':
        return `  ${finding.topic}-${finding.partition}  offset ${finding.offset}`;
      default: {
        const { type: _, ...fields } = finding;
        return `  ${Object.entries(fields)
          .map(([name, value]) => `${name} ${valueText(name, value)}`)
          .join('  ')}`;
      }
    }
  }

  #record({ offset, timestamp, key, value, headers, control }: RecordFinding): string {
    const text = (bytes: Buffer | null): string => (bytes === null ? 'null' : quoted(this.#bytesText(bytes)));
    const content =
      control === undefined
        ? [text(key), text(value), ...headers.map((header) => `${quoted(header.key)}=${text(header.value)}`)]
        : Object.entries(control).map(([name, field]) => (name === 'type' ? field : `${name} ${field}`));
    return `    ${String(offset).padEnd(10)}  ${isoTime(timestamp).padEnd(24)}  ${content.join('  ')}`;
  }
}

function counted(count: number, what: string): string {
  return `${count === 0 ? 'no' : count} ${what}${count === 1 ? '' : 's'}`;
}

function cells(wide: boolean, cell: (column: BatchColumn) => string | number): string {
  const shown = BATCH.filter((column) => wide || column.wide !== true);
  return `  ${shown.map((column) => String(cell(column)).padEnd(column.width)).join('  ')}`.trimEnd();
}

function valueText(name: string, value: unknown): string {
  if (typeof value === 'number' && /timestamp$|^logTime$/i.test(name)) return isoTime(value);
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.map((item) => valueText('', item)).join(' ');
  if (typeof value !== 'object' || value === null) return String(value);
  const { firstSequence, lastSequence, firstOffset, lastOffset } = value as Record<string, unknown>;
  return `${String(firstSequence)}..${String(lastSequence)}@${String(firstOffset)}..${String(lastOffset)}`;
}

/** As it is where that is readable, else as a JSON string. */
function quoted(text: string): string {
  return text === '' || /[\s"=]|\p{Cc}|\uFFFD/u.test(text) ? JSON.stringify(text) : text;
}
