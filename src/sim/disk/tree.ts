// The simulated name space: what lookups see, what is durable, and the pending changes between them, in one order for the
// whole disk. Each change is atomic. After a power cut the survivors of the changes of one entry are a prefix of them.
import type { KeyedRandom } from '../../base/keyed-random.ts';
import { parentOf } from '../../env/disk.ts';
import { EnvError } from '../../env/error.ts';
import type { StoreState } from '../store/state.ts';
import { FileNode } from './file-node.ts';

export class DirectoryNode {
  entries = new Map<string, DiskNode>();
  durable = new Map<string, DiskNode>();
  /** The database that lives in this folder. */
  store: StoreState | undefined;
}

type DiskNode = FileNode | DirectoryNode;

/** One entry of a folder set, or cleared. */
interface EntryChange {
  readonly directory: DirectoryNode;
  readonly name: string;
  readonly node: DiskNode | undefined;
}

interface PendingChange {
  readonly order: number;
  readonly entries: readonly EntryChange[];
}

export class DiskTree {
  root = new DirectoryNode();
  #pending: PendingChange[] = [];
  #order = 0;

  get mark(): number {
    return this.#order;
  }

  find(path: string): DiskNode | undefined {
    let node: DiskNode | undefined = this.root;
    for (const name of namesOf(path)) {
      if (!(node instanceof DirectoryNode)) return undefined;
      node = node.entries.get(name);
    }
    return node;
  }

  /** The folder at `path`; NOT_FOUND where there is none. */
  directory(path: string): DirectoryNode {
    const node = this.find(path);
    if (node instanceof DirectoryNode) return node;
    throw new EnvError('NOT_FOUND', `no directory ${path}`);
  }

  /** The file at `path`; NOT_FOUND where there is none, IO where it is a folder. */
  file(path: string): FileNode {
    const node = this.find(path);
    if (node instanceof FileNode) return node;
    if (node === undefined) throw new EnvError('NOT_FOUND', `no file ${path}`);
    throw new EnvError('IO', `${path} is a directory`);
  }

  /** NOT_FOUND without the parent folder, EXISTS if the name is taken. */
  createFile(path: string): FileNode {
    const directory = this.directory(parentOf(path));
    if (directory.entries.has(lastName(path))) throw new EnvError('EXISTS', `${path} exists`);
    const file = new FileNode();
    this.#change([{ directory, name: lastName(path), node: file }]);
    return file;
  }

  makeDirectory(path: string): DirectoryNode {
    let directory = this.root;
    for (const name of namesOf(path)) {
      let next = directory.entries.get(name);
      if (next instanceof FileNode) throw new EnvError('EXISTS', `${path}: ${name} is a file`);
      if (next === undefined) {
        next = new DirectoryNode();
        this.#change([{ directory, name, node: next }]);
      }
      directory = next;
    }
    return directory;
  }

  rename(from: string, to: string): void {
    const source = this.directory(parentOf(from));
    const node = source.entries.get(lastName(from));
    if (node === undefined) throw new EnvError('NOT_FOUND', `no ${from}`);
    const target = this.directory(parentOf(to));
    const replaced = target.entries.get(lastName(to));
    if (replaced === node) return;
    if (replaced instanceof DirectoryNode && (node instanceof FileNode || replaced.entries.size > 0)) {
      throw new EnvError('EXISTS', `${to} is a directory`);
    }
    if (replaced instanceof FileNode && node instanceof DirectoryNode) {
      throw new EnvError('EXISTS', `${to} is a file`);
    }
    this.#change([
      { directory: source, name: lastName(from), node: undefined },
      { directory: target, name: lastName(to), node },
    ]);
  }

  /** The steps that remove `path` and all below it, the innermost first; none where nothing is. */
  removal(path: string): (() => void)[] {
    const directory = this.find(parentOf(path));
    const name = lastName(path);
    if (!(directory instanceof DirectoryNode)) return [];
    const node = directory.entries.get(name);
    if (node === undefined) return [];
    const steps: (() => void)[] = [];
    const collect = (parent: DirectoryNode, entry: string, at: DiskNode): void => {
      if (at instanceof DirectoryNode) {
        for (const [inner, child] of at.entries) collect(at, inner, child);
      }
      steps.push(() => this.#change([{ directory: parent, name: entry, node: undefined }]));
    };
    collect(directory, name, node);
    return steps;
  }

  /** Makes the changes of `directory` up to `mark` durable, with the earlier changes that they build on. */
  sync(directory: DirectoryNode, mark: number): void {
    this.#settle(mark, (change) => change.entries.some((entry) => entry.directory === directory));
  }

  /** Makes the way from the root to `path` durable. */
  pin(path: string): void {
    const way: DirectoryNode[] = [this.root];
    for (const name of namesOf(path)) {
      const next = way.at(-1)?.entries.get(name);
      if (next instanceof DirectoryNode) way.push(next);
    }
    const onWay = (entry: EntryChange): boolean =>
      way.includes(entry.directory) && way.includes(entry.node as DirectoryNode);
    this.#settle(this.#order, (change) => change.entries.some(onWay));
  }

  /** What is left after a power cut, in names and in files. */
  powerCut(random: KeyedRandom, key: string): void {
    const lost = new EntrySet();
    const keepChance = [0, 0.5, 0.9, 1][random.below(key, 4)] as number;
    for (const change of this.#pending) {
      const survives = random.chance(key, keepChance) && !change.entries.some((entry) => lost.has(entry));
      for (const entry of change.entries) {
        if (survives) setEntry(entry.directory.durable, entry);
        else lost.add(entry);
      }
    }
    this.#pending = [];
    restore(this.root, random, key, new Set());
  }

  /** Every file below `directory`. */
  *files(directory = this.root): Generator<FileNode> {
    for (const node of directory.entries.values()) {
      if (node instanceof FileNode) yield node;
      else yield* this.files(node);
    }
  }

  /** Every database in or below `directory`. */
  *stores(directory = this.root): Generator<StoreState> {
    if (directory.store !== undefined) yield directory.store;
    for (const node of directory.entries.values()) if (node instanceof DirectoryNode) yield* this.stores(node);
  }

  #change(entries: EntryChange[]): void {
    for (const entry of entries) setEntry(entry.directory.entries, entry);
    this.#pending.push({ order: ++this.#order, entries });
  }

  /** Journal order: what a settled change builds on, which is every earlier change of its entries, settles with it. */
  #settle(mark: number, wanted: (change: PendingChange) => boolean): void {
    const needed = new EntrySet();
    const settled = new Set<PendingChange>();
    for (const change of this.#pending.toReversed()) {
      if (change.order > mark) continue;
      if (!wanted(change) && !change.entries.some((entry) => needed.has(entry))) continue;
      settled.add(change);
      for (const entry of change.entries) needed.add(entry);
    }
    if (settled.size === 0) return;
    this.#pending = this.#pending.filter((change) => {
      if (!settled.has(change)) return true;
      for (const entry of change.entries) setEntry(entry.directory.durable, entry);
      return false;
    });
  }
}

/** The names on the way from the root. */
function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

function lastName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function setEntry(entries: Map<string, DiskNode>, change: EntryChange): void {
  if (change.node === undefined) entries.delete(change.name);
  else entries.set(change.name, change.node);
}

function restore(directory: DirectoryNode, random: KeyedRandom, key: string, seen: Set<FileNode>): void {
  directory.entries = new Map(directory.durable);
  directory.store?.powerCut(random, key);
  for (const node of directory.entries.values()) {
    if (node instanceof DirectoryNode) restore(node, random, key, seen);
    else if (!seen.has(node)) {
      seen.add(node);
      node.powerCut(random, key);
    }
  }
}

/** A set of (folder, name). */
class EntrySet {
  readonly #names = new Map<DirectoryNode, Set<string>>();

  has(entry: EntryChange): boolean {
    return this.#names.get(entry.directory)?.has(entry.name) === true;
  }

  add(entry: EntryChange): void {
    const names = this.#names.get(entry.directory);
    if (names === undefined) this.#names.set(entry.directory, new Set([entry.name]));
    else names.add(entry.name);
  }
}
