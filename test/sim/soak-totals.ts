// What the runs of a soak come to, for each kind: numbers, speed, coverage against its floors, and how many abstract states
// are still new (safety.md 8.10).
import type { Coverage } from '../../src/sim/raft/coverage.ts';
import { shortfalls } from '../../src/sim/raft/coverage-floors.ts';
import type { KindName } from './kind.ts';
import { CLUSTER_FLOORS } from './soak-floors.ts';
import type { ChunkReport } from './soak-worker.ts';

/** Fewer runs than this say nothing about floors. */
const LEAST_RUNS: Readonly<Record<KindName, number>> = { raft: 500, cluster: 200 };

interface Sum {
  runs: number;
  events: number;
  virtualMs: number;
  tookMs: number;
  repeated: number;
  /** Chunks handed out and not back yet. */
  open: number;
  readonly counters: Map<string, number>;
  readonly states: Set<number>;
  /** Runs and states, after each chunk of the last thousand runs or more. */
  readonly growth: { readonly runs: number; readonly states: number }[];
}

export class SoakTotals {
  readonly #sums: ReadonlyMap<KindName, Sum>;

  constructor(kinds: readonly KindName[]) {
    this.#sums = new Map(kinds.map((kind) => [kind, newSum()]));
  }

  /** Real time so far, and a guess of what is under way. */
  tookMs(kind: KindName): number {
    const { tookMs, open } = this.#of(kind);
    return tookMs + open * 2000;
  }

  begin(kind: KindName): void {
    this.#of(kind).open++;
  }

  add(report: ChunkReport): void {
    const sum = this.#of(report.kind);
    sum.open--;
    sum.runs += report.runs;
    sum.events += report.events;
    sum.virtualMs += report.virtualMs;
    sum.tookMs += report.tookMs;
    sum.repeated += report.repeated;
    for (const [counter, count] of Object.entries(report.counters)) {
      sum.counters.set(counter, (sum.counters.get(counter) ?? 0) + count);
    }
    for (const state of report.states) sum.states.add(state);
    sum.growth.push({ runs: sum.runs, states: sum.states.size });
    while ((sum.growth[1]?.runs ?? sum.runs) <= sum.runs - 1000) sum.growth.shift();
  }

  #of(kind: KindName): Sum {
    const sum = this.#sums.get(kind);
    if (sum === undefined) throw new Error(`no soak of ${kind}`);
    return sum;
  }

  /** One line, for all kinds. */
  line(): string {
    return [...this.#sums]
      .map(([kind, { runs, events, virtualMs, tookMs, repeated }]) => {
        const speed = `${Math.round(events / Math.max(1, tookMs))} k events/s, ${Math.round(virtualMs / Math.max(1, tookMs))} x real time`;
        return `${kind}: ${runs} runs, ${(events / 1e6).toFixed(1)} M events, ${speed}, ${repeated} of them twice`;
      })
      .join('; ');
  }

  /** Coverage by counter, and the states. */
  summary(): string {
    return [...this.#sums]
      .map(([kind, { runs, counters, states, growth }]) => {
        const per = (count: number): string => String(Math.round((count * 1000) / Math.max(1, runs)));
        const list = [...counters]
          .sort(([a], [b]) => a.localeCompare(b))
          .map(([counter, count]) => `  ${counter.padEnd(36)} ${per(count).padStart(9)}`);
        const [first] = growth;
        const fresh = first === undefined ? 0 : states.size - first.states;
        const news = `${states.size} distinct abstract states, ${fresh} of them new in the last ${runs - (first?.runs ?? 0)} runs`;
        return [`${kind}, per 1,000 seeds:`, ...list, ...(states.size > 0 ? [`  ${news}`] : [])].join('\n');
      })
      .join('\n');
  }

  /** Counters below their floors; none where there were too few runs to tell. */
  belowFloors(): string[] {
    return [...this.#sums].flatMap(([kind, { runs, counters, states }]) => {
      if (runs < LEAST_RUNS[kind]) return [];
      const short =
        kind === 'raft'
          ? shortfalls(Object.fromEntries(counters) as Coverage, states.size, runs)
          : clusterShortfalls(counters, runs);
      return short.map((line) => `${kind} ${line}`);
    });
  }
}

function clusterShortfalls(counters: ReadonlyMap<string, number>, runs: number): string[] {
  return Object.entries(CLUSTER_FLOORS).flatMap(([counter, perThousand]) => {
    const floor = Math.floor((perThousand * runs) / 1000);
    const count = counters.get(counter) ?? 0;
    return count < floor ? [`${counter}: ${count} of at least ${floor}`] : [];
  });
}

function newSum(): Sum {
  return {
    runs: 0,
    events: 0,
    virtualMs: 0,
    tookMs: 0,
    repeated: 0,
    open: 0,
    counters: new Map(),
    states: new Set(),
    growth: [],
  };
}
