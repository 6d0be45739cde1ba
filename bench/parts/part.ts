// A part of the bench: a name to select it by, and what it measures and prints.
import type { BenchOptions } from '../harness/options.ts';

export interface Part {
  readonly name: string;
  run(options: BenchOptions): Promise<void>;
}
