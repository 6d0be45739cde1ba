// Copies of the source with a mutant in them, in a temporary folder.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { SOURCE } from '../sim/load-kind.ts';

/** A copy in which `changed` files (by path below src/) have another text. Made when it is first asked for. */
export class Tree {
  readonly #changed: ReadonlyMap<string, string>;
  #folder: string | undefined;

  constructor(changed: ReadonlyMap<string, string>) {
    this.#changed = changed;
  }

  /** The folder like src/. */
  get source(): string {
    this.#folder ??= makeCopy(this.#changed);
    return join(this.#folder, 'src');
  }

  remove(): void {
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
    this.#folder = undefined;
  }
}

function makeCopy(changed: ReadonlyMap<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'kvorum-mutant-'));
  const root = join(SOURCE, '..');
  cpSync(SOURCE, join(folder, 'src'), { recursive: true });
  // The controller and the log are tried by tests of their own, which must find the copy where the source was.
  for (const tests of ['test/prop/log', 'test/prop/controller', 'test/unit/controller', 'test/unit/metadata']) {
    cpSync(join(root, tests), join(folder, tests), { recursive: true });
  }
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  for (const [path, text] of changed) writeFileSync(join(folder, 'src', path), text);
  return folder;
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
