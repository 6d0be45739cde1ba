// Everything a part leaves behind if it is not cleaned up: processes and folders. `withScope` ends them, newest first, however
// the part ends; the last resort is the exit of this process, which kills what still runs and removes what is still there.
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

const children = new Set<ChildProcess>();
const folders = new Set<string>();

process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export class Scope {
  readonly #dir: string;
  readonly #undo: (() => Promise<void> | void)[] = [];

  /** Folders are made in `dir`. */
  constructor(dir: string) {
    this.#dir = dir;
  }

  /** A new folder. */
  folder(): string {
    const path = mkdtempSync(join(this.#dir, 'kvorum-bench-'));
    folders.add(path);
    this.defer(async () => {
      await rm(path, { recursive: true, force: true });
      folders.delete(path);
    });
    return path;
  }

  /** Ends the process with the scope: SIGTERM, and SIGKILL if that does not help within five seconds. */
  adopt(child: ChildProcess): void {
    children.add(child);
    child.once('exit', () => children.delete(child));
    this.defer(() => endProcess(child));
  }

  defer(undo: () => Promise<void> | void): void {
    this.#undo.push(undo);
  }

  async close(): Promise<void> {
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) await undo();
  }
}

export async function withScope<T>(dir: string, work: (scope: Scope) => Promise<T>): Promise<T> {
  const scope = new Scope(dir);
  try {
    return await work(scope);
  } finally {
    await scope.close();
  }
}

const GRACE_MS = 5000;

/** Resolves when the process is gone. */
export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
  });
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
  await gone;
  clearTimeout(timer);
}
