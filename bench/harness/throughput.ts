// Runs contenders in turn (A B A B …), so that what else the machine does falls on all of them, and prints medians beside the
// first one's, the raw limit.
import type { LoadResult } from './load.ts';
import type { BenchOptions } from './options.ts';
import { digits, median } from './statistics.ts';
import { printTable } from './table.ts';

export interface Contender {
  readonly name: string;
  measure(seconds: number): Promise<LoadResult>;
  close(): void;
}

/** Resolves with the median speed of each, MB/s, by name. */
export async function compare(
  title: string,
  contenders: readonly Contender[],
  options: BenchOptions,
): Promise<ReadonlyMap<string, number>> {
  const results = new Map<Contender, LoadResult[]>(contenders.map((contender) => [contender, []]));
  // One round that does not count: code gets compiled, and memory touched for the first time, which is slow, gets into use.
  for (const contender of contenders) await contender.measure(options.seconds);
  for (let i = 0; i < options.repetitions; i++) {
    for (const contender of contenders) results.get(contender)?.push(await contender.measure(options.seconds));
  }
  for (const contender of contenders) contender.close();
  const medians = contenders.map((contender) => ({
    name: contender.name,
    speed: median((results.get(contender) ?? []).map((result) => result.megabytesPerSecond)),
    cpu: median((results.get(contender) ?? []).map((result) => result.cpuSecondsPerGigabyte)),
  }));
  const [raw] = medians;
  printTable(
    title,
    ['', 'MB/s', 'of raw', 'server CPU s/GB', 'of raw'],
    medians.map(({ name, speed, cpu }) => [
      name,
      digits(speed),
      digits(speed / (raw?.speed ?? Number.NaN)),
      digits(cpu),
      digits(cpu / (raw?.cpu ?? Number.NaN)),
    ]),
  );
  return new Map(medians.map(({ name, speed }) => [name, speed]));
}

/** Arguments for node that make it leave a CPU profile at its end, where that is asked for. */
export function profiling(options: BenchOptions): string[] {
  return options.profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profileDir}`];
}
