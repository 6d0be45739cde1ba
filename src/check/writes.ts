// What was written against what the logs hold: S-D1, S-D2, S-D9, S-D10, S-D11, for topics with one replica.
import type { ClientHistory, FinalLog, LogRecord, Write } from './history.ts';
import { groupBy, logsByPlace, mayBeLost, placeName } from './history.ts';
import type { Violation } from './violation.ts';
import { firstViolation, violation } from './violation.ts';

/** S-D1: every acknowledged record is at its acknowledged offset, unless it lay in a tail that a power cut may take. */
export function checkNoAckedLoss({ writes, logs, losses }: ClientHistory): Violation | undefined {
  const byPlace = logsByPlace(logs);
  const at = new Map(logs.map((log) => [log, new Map(log.records.map((record) => [record.offset, record]))]));
  const texts = new Map(logs.map((log) => [log, new Set(log.records.map(({ text }) => text))]));
  return firstViolation(writes, (write) => {
    if (write.outcome !== 'acknowledged') return undefined;
    const log = byPlace.get(placeName(write));
    const found = log === undefined ? undefined : at.get(log)?.get(write.offset);
    const isThere =
      write.offset < 0 ? log !== undefined && texts.get(log)?.has(write.text) : found?.text === write.text;
    if (isThere === true || mayBeLost(losses, write)) return undefined;
    const place = `${placeName(write)} at offset ${write.offset}`;
    const end = `the log holds ${found === undefined ? 'nothing' : found.text.slice(0, 40)} there and ends at ${endOf(log)}`;
    return violation('S-D1', `${write.text.slice(0, 40)} was acknowledged in ${place}, ${end}`);
  });
}

function endOf(log: FinalLog | undefined): number {
  return (log?.records.at(-1)?.offset ?? -1) + 1;
}

/** S-D2: offsets of one producer's acknowledged records in a partition rise as it sent them; no offset is given twice. */
export function checkOrder({ writes, losses }: ClientHistory): Violation | undefined {
  const known = writes.filter((write) => write.outcome === 'acknowledged' && write.offset >= 0);
  const reordered = firstViolation(
    groupBy(known, (write) => `${write.producer} ${placeName(write)}`).values(),
    (group) =>
      firstViolation(pairs(group.toSorted((a, b) => a.order - b.order)), ([first, second]) => {
        if (first.offset < second.offset || mayBeLost(losses, first)) return undefined;
        return violation('S-D2', `${nameOf(second)} was sent after ${nameOf(first)}`);
      }),
  );
  return (
    reordered ??
    firstViolation(groupBy(known, (write) => `${placeName(write)}@${write.offset}`).values(), (group) =>
      firstViolation(pairs(group), ([first, second]) => {
        if (mayBeLost(losses, first) || mayBeLost(losses, second)) return undefined;
        return violation('S-D2', `${nameOf(first)} and ${nameOf(second)} were acknowledged at one offset`);
      }),
    )
  );
}

function nameOf(write: Write): string {
  return `${write.text.slice(0, 40)} (${placeName(write)}, offset ${write.offset})`;
}

function* pairs<T>(items: readonly T[]): Generator<readonly [T, T]> {
  for (const [i, item] of items.entries()) if (i > 0) yield [items[i - 1] as T, item];
}

/** S-D9: a failed write is nowhere; any other is in the logs once at most. */
export function checkOutcomes({ writes, logs }: ClientHistory): Violation | undefined {
  const counts = new Map<string, number>();
  for (const { records } of logs) for (const { text } of records) counts.set(text, (counts.get(text) ?? 0) + 1);
  return firstViolation(writes, ({ text, outcome }) => {
    const count = counts.get(text) ?? 0;
    if (outcome === 'failed' && count > 0) return violation('S-D9', `${text.slice(0, 40)} failed and is in a log`);
    if (count > 1) return violation('S-D9', `${text.slice(0, 40)} (${outcome}) is in the logs ${count} times`);
    return undefined;
  });
}

/** S-D10: one record per producer id, epoch and sequence in a log. */
export function checkIdempotence({ logs }: ClientHistory): Violation | undefined {
  return firstViolation(logs, (log) => {
    const numbered = log.records.filter(({ producerId }) => producerId >= 0);
    const number = (record: LogRecord): string => `${record.producerId}/${record.producerEpoch}/${record.sequence}`;
    return firstViolation(groupBy(numbered, number), ([key, records]) => {
      if (records.length === 1) return undefined;
      const offsets = records.map(({ offset }) => offset).join(', ');
      return violation('S-D10', `${placeName(log)} has producer/epoch/sequence ${key} at offsets ${offsets}`);
    });
  });
}

/** S-D11: the logs hold what was sent to them, byte for byte, at offsets without holes, and nothing else. */
export function checkNoInvention({ writes, logs }: ClientHistory): Violation | undefined {
  const sent = new Map(writes.map((write) => [write.text, write]));
  return firstViolation(logs, (log) =>
    firstViolation(log.records.entries(), ([index, record]) => {
      const write = sent.get(record.text);
      const where = `${placeName(log)} at offset ${record.offset}`;
      if (record.offset !== index) return violation('S-D11', `${where} is the record number ${index} of its log`);
      if (write === undefined) return violation('S-D11', `${where}: nobody sent ${record.text.slice(0, 80)}`);
      if (placeName(write) === placeName(log)) return undefined;
      return violation('S-D11', `${where}: ${record.text.slice(0, 40)} was sent to ${placeName(write)}`);
    }),
  );
}
