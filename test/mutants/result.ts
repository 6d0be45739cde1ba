// What hunting a mutant in one suite came to: seeds to kill over several disjoint ranges of seeds.
import type { Finding } from './hunt.ts';
import type { Mutant, Suite } from './mutant.ts';

/** First seeds of the disjoint ranges. */
export const STARTS: readonly number[] = [1, 1_000_001, 2_000_001];

export interface Result {
  readonly mutant: Mutant;
  readonly suite: Suite;
  /** One for each range. */
  readonly findings: readonly Finding[];
  readonly tookMs: readonly number[];
}

/** Infinity where it was not found. */
function seedsToKill({ findings }: Result): number {
  return median(findings.map(({ killedAfter }) => killedAfter ?? Number.POSITIVE_INFINITY));
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.POSITIVE_INFINITY;
}

/** Whether it is as it must be: found in most ranges, or equivalent and never found. */
export function isAsExpected(result: Result): boolean {
  const { mutant, findings } = result;
  if (mutant.equivalent !== undefined) {
    return findings.every(({ killedAfter, others }) => killedAfter === undefined && others.length === 0);
  }
  return Number.isFinite(seedsToKill(result));
}

/** `S-R1`, `S-R1 or S-R4`; other properties that ended runs before. */
export function killersOf({ findings }: Result): string {
  return [...new Set(findings.flatMap(({ property }) => property ?? []))].sort().join(' or ');
}

export function othersOf({ findings }: Result): string {
  const sum = new Map<string, number>();
  for (const [property, { count }] of findings.flatMap(({ others }) => others)) {
    sum.set(property, (sum.get(property) ?? 0) + count);
  }
  return [...sum].map(([property, count]) => `${property} ${count}×`).join(', ');
}

export function verdictOf(result: Result): string {
  const { mutant, suite, findings } = result;
  const killed = findings.filter(({ killedAfter }) => killedAfter !== undefined).length;
  if (mutant.equivalent !== undefined) return isAsExpected(result) ? 'equivalent' : 'NOT EQUIVALENT';
  if (killed === findings.length) return String(seedsToKill(result));
  if (isAsExpected(result)) return `${seedsToKill(result)} (${killed} of ${findings.length} ranges)`;
  const others = othersOf(result);
  return others === '' ? `SURVIVES ${suite.seeds}` : `KILLED BY OTHER: ${others}`;
}
