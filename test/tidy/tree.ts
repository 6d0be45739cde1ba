// The text files of the repository as it lies on disk, for rules about all of them.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../..');

/** Installed, built or written by runs: not part of the repository (.gitignore). */
const ELSEWHERE = new Set(['.git', 'node_modules', 'dist', 'data', 'replay']);

export interface TextFile {
  /** Relative to the root, with slashes. */
  path: string;
  text: string;
}

function walk(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (folder === '' && ELSEWHERE.has(entry.name)) return [];
    if (entry.isDirectory()) return walk(path);
    return entry.isFile() && !entry.name.endsWith('.tsbuildinfo') ? [path] : [];
  });
}

/** Every text file; what others wrote or tools generate is told apart by {@link isOurs}. */
export function repository(): TextFile[] {
  return walk('')
    .map((path) => ({ path, bytes: readFileSync(join(root, path)) }))
    .filter(({ bytes }) => !bytes.subarray(0, 8000).includes(0))
    .map(({ path, bytes }) => ({ path, text: bytes.toString('utf8') }));
}

/** Written by hand in this repository, and not the list of forbidden words itself. */
export function isOurs({ path }: TextFile): boolean {
  return !/^(src\/gen\/|test\/golden\/|test\/tidy\/|package-lock\.json$|LICENSE$)/.test(path);
}

/** `path:line: text` of each line that matches, for a readable failure. */
export function linesMatching(files: readonly TextFile[], pattern: RegExp): string[] {
  return files.flatMap(({ path, text }) =>
    text
      .split('\n')
      .map((line, i) => ({ line, at: `${path}:${i + 1}` }))
      .filter(({ line }) => pattern.test(line))
      .map(({ line, at }) => `${at}: ${line.trim()}`),
  );
}
