// Topics that a broker does not keep as they were written: one whose head goes by retention and deletion (D-9.1, D-9.2), and a
// compacted one (D-9.4). Each has one partition with one replica, written by one client; read from its beginning at the end.
import type { Offset } from '../base/ids.ts';
import type { WriteOutcome } from './history.ts';
import type { Violation } from './violation.ts';
import { firstViolation, violation } from './violation.ts';

export interface KeptWrite {
  /** Ascending in the order of sending. */
  readonly order: number;
  readonly key: string;
  /** No two are equal; null deletes the key. */
  readonly value: string | null;
  readonly outcome: WriteOutcome;
  /** As acknowledged; -1 where that was not said. */
  readonly offset: Offset;
}

export interface KeptRead {
  readonly offset: Offset;
  readonly key: string;
  readonly value: string | null;
}

/** S-D11: what was read was sent, and did not fail. */
export function checkKeptInvention(writes: readonly KeptWrite[], reads: readonly KeptRead[]): Violation | undefined {
  const sent = new Map(writes.map((write) => [nameOf(write), write]));
  return firstViolation(reads, (read) => {
    // Deletions of a key all look the same.
    const write = read.value === null ? writes.find((one) => nameOf(one) === nameOf(read)) : sent.get(nameOf(read));
    const where = `${nameOf(read)} at offset ${read.offset}`;
    if (write === undefined) return violation('S-D11', `nobody sent ${where}`);
    if (write.outcome === 'failed' && read.value !== null)
      return violation('S-D9', `${where} failed and is in the log`);
    return undefined;
  });
}

/** S-D1, S-D6: nothing goes but the head, and what was deleted stays so. `deletedBefore`: the greatest acknowledged start. */
export function checkPruned(
  writes: readonly KeptWrite[],
  reads: readonly KeptRead[],
  deletedBefore: Offset,
): Violation | undefined {
  const [first] = reads;
  if (first !== undefined && first.offset < deletedBefore) {
    return violation('S-D6', `records below ${deletedBefore} were deleted, and offset ${first.offset} was read`);
  }
  const gap = reads.find(({ offset }, i) => i > 0 && offset !== (reads[i - 1] as KeptRead).offset + 1);
  if (gap !== undefined) return violation('S-D1', `there is a hole in the log before offset ${gap.offset}`);
  const start = first?.offset ?? Number.POSITIVE_INFINITY;
  const found = new Map(reads.map((read) => [read.offset, read]));
  return firstViolation(writes, (write) => {
    if (write.outcome !== 'acknowledged' || write.offset < start) return undefined;
    const read = found.get(write.offset);
    if (read !== undefined && nameOf(read) === nameOf(write)) return undefined;
    return violation('S-D1', `${nameOf(write)} was acknowledged at ${write.offset}, the log begins at ${start}`);
  });
}

/** S-D1, S-D11: of each key the last value is there; what was deleted is not there again. */
export function checkCompacted(writes: readonly KeptWrite[], reads: readonly KeptRead[]): Violation | undefined {
  const last = new Map<string, string | null>();
  for (const { key, value } of reads) last.set(key, value);
  return firstViolation(new Set(writes.map(({ key }) => key)), (key) => {
    const own = writes.filter((write) => write.key === key);
    const acknowledged = own.findLastIndex(({ outcome }) => outcome === 'acknowledged');
    // Whether a later one without an answer is there, nobody knows.
    const possible = own.slice(Math.max(0, acknowledged)).filter(({ outcome }) => outcome !== 'failed');
    const value = last.get(key) ?? null;
    if (acknowledged < 0 && value === null) return undefined;
    if (possible.some((write) => write.value === value)) return undefined;
    const expected = own[acknowledged]?.value ?? 'nothing';
    return violation('S-D1', `the last value of ${key} is ${value ?? 'nothing'}, acknowledged was ${expected}`);
  });
}

function nameOf({ key, value }: Pick<KeptRead, 'key' | 'value'>): string {
  return `${key}=${value ?? 'deleted'}`;
}
