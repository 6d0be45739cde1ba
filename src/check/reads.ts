// What consumers saw: S-C1, S-C2, S-C3 and L-C1, for topics without transactions, compaction or deletion.
import { AllowedLosses } from './allowed-losses.ts';
import type { ClientHistory, Read } from './history.ts';
import { groupBy, logsByPlace, placeName } from './history.ts';
import type { Violation } from './violation.ts';
import { firstViolation, violation } from './violation.ts';

/** S-C1: what was read was committed, so it is in the log for good, unless it may be gone. */
export function checkReadsCommitted(history: ClientHistory): Violation | undefined {
  const allowed = new AllowedLosses(history);
  const byPlace = logsByPlace(history.logs);
  return firstViolation(history.reads, (read) => {
    const record = byPlace.get(placeName(read))?.records[read.offset];
    if (record?.text === read.text || allowed.mayLackRead(read)) return undefined;
    return violation('S-C1', `${nameOf(read)} was read, and is not in the log: ${record?.text.slice(0, 40)}`);
  });
}

/** S-C2: an offset always shows the same record, unless that may be gone and another epoch wrote there again. */
export function checkReadsAgree(history: ClientHistory): Violation | undefined {
  const allowed = new AllowedLosses(history);
  const first = new Map<string, Read>();
  return firstViolation(history.reads, (read) => {
    const key = `${placeName(read)}@${read.offset}`;
    const before = first.get(key);
    if (before === undefined) first.set(key, read);
    if (before === undefined || before.text === read.text) return undefined;
    const older = before.leaderEpoch < read.leaderEpoch ? before : read;
    if (before.leaderEpoch !== read.leaderEpoch && allowed.mayLackRead(older)) return undefined;
    return violation('S-C2', `${nameOf(before)} and ${nameOf(read)} were read at one offset`);
  });
}

/** S-C3: within one assignment offsets go up one by one. */
export function checkReadsInOrder({ reads }: ClientHistory): Violation | undefined {
  const sessions = groupBy(reads, (read) => `${read.session} ${placeName(read)}`);
  return firstViolation(sessions, ([session, group]) =>
    firstViolation(group.entries(), ([index, read]) => {
      const before = group[index - 1];
      if (before === undefined || read.offset === before.offset + 1) return undefined;
      return violation('S-C3', `${session}: offset ${read.offset} came after ${before.offset}`);
    }),
  );
}

/** L-C1: the reading of `session`, from the beginning to the end of everything, is what the logs hold. */
export function checkFullReading({ reads, logs }: ClientHistory, session: string): Violation | undefined {
  const seen = groupBy(
    reads.filter((read) => read.session === session),
    placeName,
  );
  return firstViolation(logs, (log) => {
    const got = seen.get(placeName(log)) ?? [];
    const same = got.length === log.records.length && got.every((read, i) => read.text === log.records[i]?.text);
    if (same) return undefined;
    return violation('L-C1', `${session} read ${got.length} of ${log.records.length} records of ${placeName(log)}`);
  });
}

function nameOf(read: Read): string {
  return `${read.text.slice(0, 40)} (${placeName(read)}, offset ${read.offset}, epoch ${read.leaderEpoch})`;
}
