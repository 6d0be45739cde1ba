// A process of the soak: runs chunks of seeds and adds up what they went through.
import type { KindName, SimKind } from './kind.ts';
import { loadKind } from './load-kind.ts';

export interface Chunk {
  readonly kind: KindName;
  readonly firstSeed: number;
  readonly seeds: number;
}

export interface ChunkReport {
  readonly kind: KindName;
  readonly runs: number;
  readonly events: number;
  readonly virtualMs: number;
  readonly tookMs: number;
  readonly counters: Readonly<Record<string, number>>;
  /** Hashes of abstract states. */
  readonly states: readonly number[];
  /** Runs that were made twice (S-X1). */
  readonly repeated: number;
  readonly failure: { readonly seed: number; readonly property: string; readonly detail: string } | undefined;
}

/** One run in so many is made twice (S-X1). */
const REPEAT_EVERY = 100;

const kinds = new Map<KindName, Promise<SimKind>>();

function kindOf(name: KindName): Promise<SimKind> {
  const kind = kinds.get(name) ?? loadKind(name);
  kinds.set(name, kind);
  return kind;
}

async function run({ kind: name, firstSeed, seeds }: Chunk): Promise<ChunkReport> {
  const kind = await kindOf(name);
  const startedAt = performance.now();
  const sum = { kind: name, runs: 0, events: 0, virtualMs: 0, repeated: 0 };
  const counters: Record<string, number> = {};
  const states = new Set<number>();
  let failure: ChunkReport['failure'];
  for (let seed = firstSeed; seed < firstSeed + seeds && failure === undefined; seed++) {
    const scenario = kind.draw(seed);
    const outcome = await kind.run(scenario);
    sum.runs++;
    sum.events += outcome.events;
    sum.virtualMs += outcome.atMs;
    for (const [counter, count] of Object.entries(outcome.counters))
      counters[counter] = (counters[counter] ?? 0) + count;
    for (const state of outcome.states) states.add(state);
    if (!outcome.ok) {
      failure = { seed, property: outcome.property ?? '', detail: outcome.detail ?? '' };
    } else if (seed % REPEAT_EVERY === 0) {
      const again = await kind.run(scenario);
      sum.repeated++;
      sum.events += again.events;
      sum.virtualMs += again.atMs;
      if (again.hash !== outcome.hash) failure = { seed, property: 'S-X1', detail: 'two runs of it differ' };
    }
  }
  return { ...sum, tookMs: performance.now() - startedAt, counters, states: [...states], failure };
}

process.on('message', (message) => {
  run(message as Chunk).then(
    (report) => process.send?.(report),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
