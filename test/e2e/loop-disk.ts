// A disk whose power can be cut: ext4 in a file behind a loop device. What the file holds at a moment is what a disk would hold
// if its power failed then: everything that was synced, and of the rest only what the kernel happened to write. Needs root.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SIZE = '192M';
/** The journal is not committed in the background: only a sync makes anything durable. */
const OPTIONS = 'loop,commit=3000,noatime';

/** Folders with something mounted in them. */
const inUse = new Set<string>();

function unmountAll(): void {
  for (const folder of inUse) {
    // Lazily: whoever still has a file open there is being killed.
    spawnSync('umount', ['--lazy', join(folder, 'mounted')], { stdio: 'ignore' });
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
  inUse.clear();
}

process.once('exit', unmountAll);
process.once('disconnect', unmountAll);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, unmountAll);

/** Why there can be no such disk; undefined where there can. */
export function whyNoLoopDisk(): string | undefined {
  if (process.platform !== 'linux') return 'power cuts need Linux';
  if (process.getuid?.() !== 0) return 'power cuts need root, to mount an image';
  for (const command of ['mkfs.ext4', 'losetup', 'mount']) {
    if (spawnSync('which', [command]).status !== 0) return `power cuts need ${command}`;
  }
  const probe = spawnSync('losetup', ['--find'], { encoding: 'utf8' });
  return probe.status === 0 ? undefined : `there is no loop device: ${probe.stderr.trim()}`;
}

export class LoopDisk {
  readonly #folder: string;
  #images = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** An empty one, mounted. */
  static create(): LoopDisk {
    const folder = mkdtempSync(join(tmpdir(), 'kvorum-loop-'));
    inUse.add(folder);
    const disk = new LoopDisk(folder);
    mkdirSync(disk.path);
    execFileSync('truncate', ['--size', SIZE, disk.#image]);
    execFileSync('mkfs.ext4', ['-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', disk.#image]);
    disk.#mount();
    return disk;
  }

  /** Where its files are; the same after a cut. */
  get path(): string {
    return join(this.#folder, 'mounted');
  }

  get #image(): string {
    return join(this.#folder, `${this.#images}.img`);
  }

  #mount(): void {
    execFileSync('mount', ['-o', OPTIONS, this.#image, this.path]);
  }

  /** Makes everything durable that was written until now. */
  sync(): void {
    execFileSync('sync', ['--file-system', this.path]);
  }

  /**
   * Writes back some of the files (which, depends on `pick`) with what is not synced of them, as the kernel does when it likes:
   * later writes may then survive a cut that earlier ones to other files do not.
   */
  writeBackSome(pick: number): void {
    const entries = readdirSync(this.path, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    const picked = files.filter((_, i) => (i + pick) % 3 === 0);
    if (picked.length > 0) execFileSync('sync', ['--data', ...picked]);
  }

  /** The power fails now: remembers what the disk holds. Whoever writes must have been stopped ({@link stopped}). */
  cut(): void {
    const before = this.#image;
    this.#images += 1;
    execFileSync('cp', ['--sparse=always', before, this.#image]);
  }

  /** The power is back: the files are as they were at the last {@link cut}. Nobody may have a file open any more. */
  restore(): void {
    execFileSync('umount', [this.path]);
    rmSync(join(this.#folder, `${this.#images - 1}.img`));
    this.#mount();
  }

  remove(): void {
    spawnSync('umount', ['--lazy', this.path], { stdio: 'ignore' });
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 3 });
    inUse.delete(this.#folder);
  }
}

/** Stops a process in the middle of whatever it does; resolves when none of its threads runs, in the kernel or out of it. */
export async function stopped(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  const tasks = `/proc/${pid}/task`;
  const state = (task: string): string | undefined =>
    /\) (\S)/.exec(readFileSync(`${tasks}/${task}/stat`, 'utf8'))?.[1];
  while (!readdirSync(tasks).every((task) => state(task) === 'T')) {
    await new Promise((resolve) => void setTimeout(resolve, 1));
  }
}
