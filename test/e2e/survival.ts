// What must have survived a power cut, by the kind of topic: in every one what was acknowledged, unless the topic's own rules let it
// go. Payloads end with their number, in the order in which they were sent.
import type { Promised } from './acknowledged.ts';
import type { KcatRecord } from './kcat.ts';

/** A sentence for each acknowledged record that is not there and should be. */
export type Survival = (promised: readonly Promised[], records: readonly KcatRecord[]) => string[];

function numberOf(payload: string | null): number {
  return Number(payload?.split('-').at(-1));
}

function missing(promised: readonly Promised[], records: readonly KcatRecord[]): Promised[] {
  const seen = new Set(records.map(({ payload }) => payload));
  return promised.filter(({ payload }) => !seen.has(payload));
}

function sentence({ payload, partition, offset }: Promised): string {
  return `${payload} was acknowledged at partition ${partition}, offset ${offset}, and is lost`;
}

/** Everything. */
export const allOf: Survival = (promised, records) => missing(promised, records).map(sentence);

/** Everything from the first record of its partition on: what lies below was deleted, oldest first. */
export const newestOf: Survival = (promised, records) => {
  const starts = new Map<number, number>();
  for (const { partition, offset } of records) {
    starts.set(partition, Math.min(offset, starts.get(partition) ?? Number.POSITIVE_INFINITY));
  }
  const isKept = ({ partition, offset }: Promised): boolean => offset >= (starts.get(partition) ?? 0);
  return missing(promised, records).filter(isKept).map(sentence);
};

/** Everything that no later record with the same key replaces. */
export function latestOf(keyOf: (n: number) => string | null): Survival {
  return (promised, records) => {
    const latest = new Map<string | null, number>();
    for (const { payload } of records) {
      const n = numberOf(payload);
      latest.set(keyOf(n), Math.max(n, latest.get(keyOf(n)) ?? -1));
    }
    const isCurrent = ({ payload }: Promised): boolean =>
      numberOf(payload) > (latest.get(keyOf(numberOf(payload))) ?? -1);
    return missing(promised, records).filter(isCurrent).map(sentence);
  };
}

/** Within a partition offsets and numbers ascend; offsets without a gap unless the topic is compacted. */
export function disorder(records: readonly KcatRecord[], gaps: 'gaps' | 'no gaps'): string[] {
  const last = new Map<number, { offset: number; n: number }>();
  return records.flatMap(({ partition, offset, payload }) => {
    const n = numberOf(payload);
    const previous = last.get(partition);
    last.set(partition, { offset, n });
    if (previous === undefined) return [];
    const follows = gaps === 'gaps' ? offset > previous.offset : offset === previous.offset + 1;
    if (follows && n > previous.n) return [];
    return [`partition ${partition}: record ${n} at ${offset} after record ${previous.n} at ${previous.offset}`];
  });
}
