// Copies of the source with a mutant in them, in a temporary folder.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { SOURCE } from '../sim/load-kind.ts';

export interface Tree {
  /** The folder like src/. */
  readonly source: string;
  /** The temporary folder around it. */
  readonly folder: string;
}

/** A copy in which `changed` files (by path below src/) have another text. */
export function makeTree(changed: ReadonlyMap<string, string>): Tree {
  const folder = mkdtempSync(join(tmpdir(), 'kvorum-mutant-'));
  const source = join(folder, 'src');
  const root = join(SOURCE, '..');
  cpSync(SOURCE, source, { recursive: true });
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  for (const [path, text] of changed) writeFileSync(join(source, path), text);
  return { source, folder };
}

export function removeTree({ folder }: Tree): void {
  rmSync(folder, { recursive: true, force: true });
}

/** The files of a tree that differ from the source, by path below it. */
export function changedFiles(tree: string): Map<string, string> {
  const changed = new Map<string, string>();
  for (const entry of readdirSync(tree, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = relative(tree, join(entry.parentPath, entry.name)).replaceAll('\\', '/');
    const text = readFileSync(join(tree, path), 'utf8');
    if (text !== readFileSync(join(SOURCE, path), 'utf8')) changed.set(path, text);
  }
  return changed;
}
