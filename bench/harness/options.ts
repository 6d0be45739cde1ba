// What a run is asked for: which parts, how long each repetition takes, where the data goes, which build is measured.
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

/** A build of the project: a folder as `make build` leaves it in dist/. */
export interface Build {
  readonly name: string;
  readonly dist: string;
}

export interface BenchOptions {
  /** Empty: all. */
  readonly parts: readonly string[];
  /** The project's own first; with `--against` another one, to compare two states of the code in one run. */
  readonly builds: readonly Build[];
  readonly repetitions: number;
  readonly seconds: number;
  /** Temporary folders are made in here. */
  readonly dir: string;
  /** Folder for CPU profiles of the nodes that carry load; undefined: none are taken. */
  readonly profileDir: string | undefined;
}

export const USAGE = `make bench ARGS="[part…] [option…]"
  --quick            one short repetition: does it work?
  --dir <folder>     where data is written (default: the temporary folder); name the disk you want to measure
  --against <dist>   measure another build of the project beside this one
  --profile <folder> leave CPU profiles of loaded nodes there (figures are worse then)
Parts: `;

/** The build of this working tree; code that is timed in this process is taken from here too. */
export const OWN_DIST = join(import.meta.dirname, '../../dist');

export function parseOptions(args: readonly string[]): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      dir: { type: 'string', default: tmpdir() },
      against: { type: 'string' },
      profile: { type: 'string' },
    },
  });
  const builds: Build[] = [{ name: 'kvorum', dist: OWN_DIST }];
  if (values.against !== undefined) builds.push({ name: 'other build', dist: resolve(values.against) });
  return {
    parts: positionals,
    builds,
    repetitions: values.quick ? 1 : 3,
    seconds: values.quick ? 1 : 3,
    dir: resolve(values.dir),
    profileDir: values.profile === undefined ? undefined : resolve(values.profile),
  };
}
