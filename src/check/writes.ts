// What was written against what the logs hold: S-D1, S-D2, S-D5, S-D9, S-D10, S-D11. Records may be gone where AllowedLosses says so.
import type { Offset } from '../base/ids.ts';
import { AllowedLosses } from './allowed-losses.ts';
import type { ClientHistory, LogRecord, Write } from './history.ts';
import { groupBy, logsByPlace, placeName } from './history.ts';
import type { Violation } from './violation.ts';
import { firstViolation, violation } from './violation.ts';

/** S-D1: every acknowledged record is at its acknowledged offset, unless it may be gone. */
export function checkNoAckedLoss(history: ClientHistory): Violation | undefined {
  const allowed = new AllowedLosses(history);
  const byPlace = logsByPlace(history.logs);
  return firstViolation(history.writes, (write) => {
    if (write.outcome !== 'acknowledged' || allowed.has(write) || allowed.mayLack(write)) return undefined;
    const records = byPlace.get(placeName(write))?.records ?? [];
    const found = records.find(({ offset }) => offset === write.offset);
    const place = `${placeName(write)} at offset ${write.offset}`;
    const end = `the log holds ${found === undefined ? 'nothing' : found.text.slice(0, 40)} there and ends at ${endOf(records)}`;
    return violation('S-D1', `${write.text.slice(0, 40)} was acknowledged in ${place}, ${end}`);
  });
}

function endOf(records: readonly LogRecord[]): Offset {
  return (records.at(-1)?.offset ?? -1) + 1;
}

/** S-D2: offsets of one producer's acknowledged records in a partition rise as it sent them; no offset is given twice. */
export function checkOrder(history: ClientHistory): Violation | undefined {
  const kept = placed(history);
  const reordered = firstViolation(
    groupBy(kept, (write) => `${write.producer} ${placeName(write)}`).values(),
    (group) =>
      firstViolation(pairs(group.toSorted((a, b) => a.order - b.order)), ([first, second]) => {
        if (first.offset < second.offset) return undefined;
        return violation('S-D2', `${nameOf(second)} was sent after ${nameOf(first)}`);
      }),
  );
  return (
    reordered ??
    firstViolation(groupBy(kept, (write) => `${placeName(write)}@${write.offset}`).values(), (group) =>
      firstViolation(pairs(group), ([first, second]) =>
        violation('S-D2', `${nameOf(first)} and ${nameOf(second)} were acknowledged at one offset`),
      ),
    )
  );
}

/** S-D5: what is sent after a record was acknowledged lies behind it. */
export function checkBehindAcknowledged(history: ClientHistory): Violation | undefined {
  return firstViolation(groupBy(placed(history), placeName).values(), (group) => {
    const answered = group
      .flatMap((write) => (write.answeredAtMs === undefined ? [] : [{ write, atMs: write.answeredAtMs }]))
      .sort((a, b) => a.atMs - b.atMs);
    let next = 0;
    let last: Write | undefined;
    return firstViolation(
      group.toSorted((a, b) => a.invokedAtMs - b.invokedAtMs),
      (write) => {
        for (; (answered[next]?.atMs ?? Number.POSITIVE_INFINITY) < write.invokedAtMs; next++) {
          const { write: before } = answered[next] as (typeof answered)[number];
          if (last === undefined || before.offset > last.offset) last = before;
        }
        if (last === undefined || write.offset > last.offset) return undefined;
        return violation('S-D5', `${nameOf(write)} was sent when ${nameOf(last)} was acknowledged`);
      },
    );
  });
}

/** What is acknowledged, with its offsets, but for what is gone and may be: its offsets are given again. */
function placed(history: ClientHistory): Write[] {
  const allowed = new AllowedLosses(history);
  return history.writes
    .filter((write) => write.outcome === 'acknowledged' && !allowed.lacks(write))
    .map((write) => ({ ...write, offset: allowed.offsetOf(write) }))
    .filter(({ offset }) => offset >= 0);
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
