// Applying a mutant's diff to the source as it is now, in memory. A hunk may have moved; what it replaces must still be
// there, once.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StructuredPatch, StructuredPatchHunk } from 'diff';
import { applyPatch, createTwoFilesPatch, parsePatch } from 'diff';
import type { Mutant } from './mutant.ts';
import { MutantError } from './mutant.ts';

/** Lines around a change, unless more are needed to find it again: few survive other edits. */
const LEAST_CONTEXT = 1;

/** The changed files by path below the source folder. MutantError if the diff does not apply. */
export function applyMutant(mutant: Mutant, source: string): Map<string, string> {
  const changed = new Map<string, string>();
  const patches = parse(mutant);
  if (patches.length === 0) throw new MutantError(`${mutant.name}: there is no diff`);
  for (const patch of patches) {
    const path = pathOf(mutant, patch);
    const before = readSource(mutant, source, path);
    for (const hunk of patch.hunks) {
      const old = oldLines(hunk);
      const places = countPlaces(before, old);
      if (places !== 1) {
        const what = places === 0 ? 'is not there any more' : `is there ${places} times`;
        throw new MutantError(`${mutant.name}: what it replaces in ${path} ${what}:\n${old.join('\n')}`);
      }
    }
    const after = applyPatch(before, patch, { fuzzFactor: 0 });
    if (after === false) throw new MutantError(`${mutant.name}: the diff of ${path} does not apply`);
    changed.set(path, after);
  }
  return changed;
}

function parse({ name, diff }: Mutant): StructuredPatch[] {
  try {
    return diff === '' ? [] : parsePatch(diff);
  } catch (error) {
    throw new MutantError(`${name}: ${String(error)}`, { cause: error });
  }
}

/** `a/src/raft/step.ts` names raft/step.ts. What judges a mutant is not its to change. */
function pathOf(mutant: Mutant, { newFileName, hunks }: StructuredPatch): string {
  const path = (newFileName ?? '').replace(/^b\//, '');
  if (!path.startsWith('src/') || /^src\/(sim|check)\//.test(path) || hunks.length === 0) {
    throw new MutantError(
      `${mutant.name}: a diff of ${path || 'no file'}; only src/ apart from sim and check is changed`,
    );
  }
  return path.slice('src/'.length);
}

function readSource({ name }: Mutant, source: string, path: string): string {
  try {
    return readFileSync(join(source, path), 'utf8');
  } catch (error) {
    throw new MutantError(`${name}: there is no ${path}`, { cause: error });
  }
}

function oldLines({ lines }: StructuredPatchHunk): string[] {
  return lines.filter((line) => /^[ -]/.test(line)).map((line) => line.slice(1));
}

function countPlaces(text: string, lines: readonly string[]): number {
  const all = text.split('\n');
  let places = 0;
  for (let i = 0; i + lines.length <= all.length; i++) {
    if (lines.every((line, at) => all[i + at] === line)) places++;
  }
  return places;
}

/** The diff that makes `after` of `source`, with as little context as leaves every hunk unambiguous. */
export function diffOf(source: string, after: ReadonlyMap<string, string>): string {
  return [...after].map(([path, text]) => fileDiff(path, readFileSync(join(source, path), 'utf8'), text)).join('');
}

function fileDiff(path: string, before: string, after: string): string {
  const name = `src/${path}`;
  let context = LEAST_CONTEXT;
  let diff = createTwoFilesPatch(`a/${name}`, `b/${name}`, before, after, '', '', { context });
  while (!isUnambiguous(before, diff)) {
    context++;
    diff = createTwoFilesPatch(`a/${name}`, `b/${name}`, before, after, '', '', { context });
  }
  return diff.replace(/^=+\n/, '').replace(/^((?:---|\+\+\+) .*)\t$/gm, '$1');
}

function isUnambiguous(before: string, diff: string): boolean {
  return parsePatch(diff).every(({ hunks }) => hunks.every((hunk) => countPlaces(before, oldLines(hunk)) === 1));
}
