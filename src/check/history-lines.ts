// A history of clients as lines of JSON (NDJSON), one fact per line: how a run that failed is kept, and read again.
import type { ClientHistory } from './history.ts';

/** What each line's `kind` says it belongs to. */
const LISTS = {
  write: 'writes',
  read: 'reads',
  log: 'logs',
  tailLoss: 'losses',
  lossEntry: 'ledger',
} as const satisfies Record<string, keyof ClientHistory>;

type Kind = keyof typeof LISTS;

/** The lines, without line breaks. */
export function* linesOf(history: ClientHistory): Generator<string> {
  for (const kind of Object.keys(LISTS) as Kind[]) {
    for (const fact of history[LISTS[kind]]) yield JSON.stringify({ kind, ...fact });
  }
}

/** The history of these lines; empty ones are skipped. Error that names the first line that is none. */
export function parseHistory(lines: Iterable<string>): ClientHistory {
  const history: { [List in keyof ClientHistory]: ClientHistory[List][number][] } = {
    writes: [],
    reads: [],
    logs: [],
    losses: [],
    ledger: [],
  };
  let number = 0;
  for (const line of lines) {
    number++;
    if (line.trim() === '') continue;
    const { kind, ...fact } = parsed(line, number);
    (history[LISTS[kind]] as unknown[]).push(fact);
  }
  return history;
}

function parsed(line: string, number: number): { kind: Kind } & object {
  let value: { kind?: unknown } | null;
  try {
    value = JSON.parse(line) as typeof value;
  } catch (error) {
    throw new Error(`line ${number} of the history is not JSON: ${line.slice(0, 80)}`, { cause: error });
  }
  if (typeof value?.kind !== 'string' || !Object.hasOwn(LISTS, value.kind)) {
    throw new Error(`line ${number} of the history is none of ${Object.keys(LISTS).join(', ')}: ${line.slice(0, 80)}`);
  }
  return value as { kind: Kind };
}
