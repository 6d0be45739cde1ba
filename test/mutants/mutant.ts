// A mutant of the corpus (safety.md §7): a patch of src/ with a header that says what it breaks and who must notice.
// test/mutants/README.md describes the header.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KindName } from '../sim/kind.ts';
import { KIND_NAMES } from '../sim/kind.ts';

/** Simulated runs, and the controller (controller-kind.ts) or a partition log (log-kind.ts) alone. */
export type SuiteKind = KindName | 'controller' | 'log';

const SUITE_KINDS: readonly SuiteKind[] = [...KIND_NAMES, 'controller', 'log'];

export const FOLDER = import.meta.dirname;

/** Where a mutant is looked for. */
export interface Suite {
  readonly kind: SuiteKind;
  /** A file of scenarios/<kind>/ without its ending, run with one seed after the other; undefined: drawn from seeds. */
  readonly scenario: string | undefined;
  /** Seeds within which it must be found, from each of the starts. */
  readonly seeds: number;
}

export interface Mutant {
  /** File name without its ending. */
  readonly name: string;
  /** Of the corpus, or the rule that is broken. */
  readonly id: string;
  readonly source: string;
  /** One sentence. */
  readonly wrong: string;
  /** Any of them must be violated. */
  readonly properties: readonly string[];
  /** Where a property covers much (S-X2): what its detail must say. */
  readonly says: string | undefined;
  /** Checkers that see the defect before the property does, and are left out. */
  readonly without: readonly string[];
  readonly suites: readonly Suite[];
  /** Belongs to the subset that `make test` runs. */
  readonly isQuick: boolean;
  /** Why nothing can notice it; it must then not be found. */
  readonly equivalent: string | undefined;
  /** The text before the diff. */
  readonly header: string;
  /** Empty while it is being written. */
  readonly diff: string;
}

export class MutantError extends Error {
  override name = 'MutantError';
}

const REQUIRED = ['id', 'source', 'wrong', 'suite'] as const;
const OPTIONAL = ['property', 'says', 'without', 'quick', 'equivalent'] as const;

/** All patches of this folder, by name. MutantError. */
export function readMutants(folder = FOLDER): Mutant[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.patch'))
    .sort()
    .map((file) => parseMutant(file.slice(0, -'.patch'.length), readFileSync(join(folder, file), 'utf8')));
}

/** MutantError with a sentence that names the field. */
export function parseMutant(name: string, text: string): Mutant {
  const found = text.search(/^--- /m);
  const start = found < 0 ? text.length : found;
  const fields = parseHeader(name, text.slice(0, start));
  const one = (key: string): string | undefined => fields.get(key)?.join('; ');
  const list = (key: string): string[] => (one(key) ?? '').split(/[,;\s]+/).filter((item) => item !== '');
  for (const key of REQUIRED) if (!fields.has(key)) throw new MutantError(`${name}: the header has no ${key}`);
  const properties = list('property');
  if (properties.length === 0) throw new MutantError(`${name}: the header has no property`);
  if (properties.includes('S-X2') && !fields.has('says')) {
    throw new MutantError(`${name}: S-X2 is any crash; name with "says" what it must say`);
  }
  return {
    name,
    id: one('id') ?? '',
    source: one('source') ?? '',
    wrong: one('wrong') ?? '',
    properties,
    says: one('says'),
    without: list('without'),
    suites: (fields.get('suite') ?? []).map((suite) => parseSuite(name, suite)),
    isQuick: fields.has('quick'),
    equivalent: one('equivalent'),
    header: text.slice(0, start),
    diff: text.slice(start),
  };
}

/** `key: value` lines; a line that begins with a space goes on with the one before. */
function parseHeader(name: string, header: string): Map<string, string[]> {
  const fields = new Map<string, string[]>();
  for (const line of header.replace(/\n +/g, ' ').split('\n')) {
    if (line.trim() === '') continue;
    const [, key = '', value = ''] = /^([a-z]+): *(.*)$/.exec(line) ?? [];
    if (![...REQUIRED, ...OPTIONAL].some((known) => known === key) || value === '') {
      throw new MutantError(`${name}: header line "${line}" is not one of ${[...REQUIRED, ...OPTIONAL].join(', ')}`);
    }
    fields.set(key, [...(fields.get(key) ?? []), value]);
  }
  return fields;
}

/** `raft 200 seeds` or `raft 20 seeds of figure-8`. */
function parseSuite(name: string, text: string): Suite {
  const [, kindText, count, scenario] = /^([a-z]+) (\d+) seeds(?: of ([a-z0-9-]+))?$/.exec(text) ?? [];
  const kind = SUITE_KINDS.find((known) => known === kindText);
  if (kind === undefined || Number(count) < 1) {
    throw new MutantError(
      `${name}: suite "${text}" is not "raft|cluster|controller|log <count> seeds [of <scenario>]"`,
    );
  }
  return { kind, scenario, seeds: Number(count) };
}

/** The text of a suite's scenario. */
export function readScenario({ kind, scenario }: Suite): string {
  return readFileSync(join(FOLDER, 'scenarios', kind, `${scenario}.json`), 'utf8');
}
