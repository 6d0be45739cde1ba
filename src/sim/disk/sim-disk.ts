// The disk of one simulated host (safety.md 8.4): it outlives the incarnations of its process. A kill loses nothing that
// was written (operations that were under way happen or not); a power cut loses what was not synced.
import type { EnvErrorCode } from '../../env/error.ts';
import { EnvError } from '../../env/error.ts';
import type { StoreWatch } from '../store/state.ts';
import { StoreState } from '../store/state.ts';
import type { EventKind, SimEvent } from '../world/event.ts';
import type { Incarnation } from '../world/incarnation.ts';
import type { Scheduler } from '../world/scheduler.ts';
import type { DiskFaultKind, DiskSettings, LatencyRange, PlannedFailure } from './faults.ts';
import { defaultDiskSettings } from './faults.ts';
import { DirectoryNode, DiskTree } from './tree.ts';

export type DiskOperation = 'synced' | 'renamed' | 'directorySynced';

/** One operation under way. */
interface Operation {
  readonly event: SimEvent;
  readonly incarnation: Incarnation;
  /** What it may still do when the process is killed meanwhile. */
  readonly interrupted: (() => void) | undefined;
  /** Operations of one chain happen in order: if one did not, no later one does. */
  readonly chain: object | undefined;
}

interface OperationOptions {
  readonly kind?: Extract<EventKind, 'disk' | 'store'>;
  /** For an operation that changes something: the change, without durability. */
  readonly interrupted?: () => void;
  readonly chain?: object;
}

export class SimDisk {
  /** Latencies, capacity and error rates; change them at any time. */
  readonly settings: DiskSettings = defaultDiskSettings();
  readonly scheduler: Scheduler;
  readonly key: string;
  /** Asked for each database that is made: who follows what it holds. */
  watchStore: (path: string) => StoreWatch | undefined = () => undefined;
  tree = new DiskTree();
  #usedBytes = 0;
  #stalledUntilUs = 0;
  #planned: PlannedFailure[] = [];
  readonly #running = new Set<Operation>();
  /** Told when something happened to a file or folder; it must only take note. */
  onOperation: (what: DiskOperation, path: string) => void = () => {};

  constructor(scheduler: Scheduler, host: string) {
    this.scheduler = scheduler;
    this.key = `disk.${host}`;
  }

  /** Sum of the sizes of all files and databases. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  // ---- faults ----

  /** No operation that begins now or later completes for this long. */
  stall(durationMs: number): void {
    this.#stalledUntilUs = Math.max(this.#stalledUntilUs, this.scheduler.nowUs + durationMs * 1000);
  }

  /** The next `count` operations of `kind` on a path that contains `pathPart` fail. */
  failNext(kind: DiskFaultKind, pathPart = '', count = 1, code: EnvErrorCode = 'IO'): void {
    this.#planned.push({ kind, pathPart, code, remaining: count });
  }

  /** How long operations that are under way may still be stalled. */
  get stalledMs(): number {
    return Math.max(0, this.#stalledUntilUs - this.scheduler.nowUs) / 1000;
  }

  /** No planned failure is left. */
  forgetFailures(): void {
    this.#planned = [];
  }

  /** Flips bits of one byte of a file, on the platter and in memory. NOT_FOUND without the file. */
  corrupt(path: string, position: number, mask = 1): void {
    this.tree.file(path).flip(position, mask);
  }

  /** The next open of the database in `path` says CORRUPT. */
  corruptStore(path: string): void {
    this.storeAt(path).corrupt = true;
  }

  /** Whether a database was ever made there. */
  hasStore(path: string): boolean {
    const node = this.tree.find(path);
    return node instanceof DirectoryNode && node.store !== undefined;
  }

  /** The disk is replaced by an empty one. For a process that is not running. */
  wipe(): void {
    this.tree = new DiskTree();
    this.#usedBytes = 0;
  }

  /** An existing, durable directory, as a mount point is. */
  provision(path: string): void {
    this.tree.makeDirectory(path);
    this.tree.pin(path);
  }

  /** The whole file as reads see it, for checkers and tests. NOT_FOUND without it. */
  contentOf(path: string): Buffer {
    return this.tree.file(path).cached.toBuffer();
  }

  // ---- the end of a process ----

  /** The process was killed: of what it had under way, some happens and some does not. */
  kill(incarnation: Incarnation): void {
    const broken = new Set<object>();
    for (const operation of this.#running) {
      if (operation.incarnation !== incarnation) continue;
      this.#running.delete(operation);
      operation.event.cancelled = true;
      if (operation.interrupted === undefined) continue;
      const happens = this.scheduler.random.chance(this.key, 0.5);
      if (operation.chain !== undefined && (broken.has(operation.chain) || !happens)) broken.add(operation.chain);
      else if (happens) tolerateEnvError(operation.interrupted);
    }
    this.#recount();
  }

  /** The power went: after the kill, what was not synced is lost, torn or kept at random. */
  powerCut(incarnation: Incarnation | undefined): void {
    if (incarnation !== undefined) this.kill(incarnation);
    this.tree.powerCut(this.scheduler.random, this.key);
    this.#stalledUntilUs = 0;
    this.#recount();
  }

  // ---- for the ports ----

  newStore(path: string): StoreState {
    const store = new StoreState();
    store.watch = this.watchStore(path);
    return store;
  }

  storeAt(path: string): StoreState {
    const store = this.tree.directory(path).store;
    if (store === undefined) throw new EnvError('NOT_FOUND', `no database in ${path}`);
    return store;
  }

  /** How many of `wanted` more bytes fit; takes the room. */
  takeRoom(wanted: number): number {
    const room = Math.max(0, Math.floor(Math.min(wanted, this.settings.capacityBytes - this.#usedBytes)));
    this.#usedBytes += room;
    return room;
  }

  freeRoom(bytes: number): void {
    this.#usedBytes -= bytes;
  }

  /** The failure that the plan or chance has for this operation. */
  failure(kind: DiskFaultKind, path: string): EnvError | undefined {
    const planned = this.#planned.find((plan) => plan.kind === kind && path.includes(plan.pathPart));
    if (planned !== undefined) {
      planned.remaining--;
      if (planned.remaining <= 0) this.#planned = this.#planned.filter((plan) => plan !== planned);
      return new EnvError(planned.code, `${kind} ${path}: injected ${planned.code}`);
    }
    const chance = this.settings.errorChance[kind];
    if (chance === 0 || !this.scheduler.random.chance(`${this.key}.${kind}`, chance)) return undefined;
    return new EnvError('IO', `${kind} ${path}: injected error`);
  }

  throwFailure(kind: DiskFaultKind, path: string): void {
    const error = this.failure(kind, path);
    if (error !== undefined) throw error;
  }

  /** Microseconds that an operation takes from now, stalls included. */
  latency(range: LatencyRange): number {
    const { nowUs } = this.scheduler;
    return Math.max(this.#stalledUntilUs, nowUs) - nowUs + this.scheduler.between(this.key, range[0], range[1]);
  }

  /**
   * Runs `effect` after `latencyUs` and settles with what it returned or threw. The effect happens while the process is
   * paused too; never after its end.
   */
  operate<T>(incarnation: Incarnation, latencyUs: number, effect: () => T, options: OperationOptions = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      if (incarnation.isDead) return;
      const { scheduler } = this;
      const kind = options.kind ?? 'disk';
      const event = scheduler.schedule(
        latencyUs,
        kind,
        undefined,
        () => {
          this.#running.delete(operation);
          try {
            const value = effect();
            scheduler.deliver(kind, incarnation, () => resolve(value));
          } catch (error) {
            // Anything else is a bug of the simulator.
            if (!(error instanceof EnvError)) throw error;
            scheduler.deliver(kind, incarnation, () => reject(error));
          }
        },
        incarnation.processId,
      );
      const operation: Operation = { event, incarnation, interrupted: options.interrupted, chain: options.chain };
      this.#running.add(operation);
    });
  }
  #recount(): void {
    this.#usedBytes = 0;
    for (const file of this.tree.files()) this.#usedBytes += file.cached.size;
    for (const store of this.tree.stores()) this.#usedBytes += store.sizeBytes;
  }
}

function tolerateEnvError(change: () => void): void {
  try {
    change();
  } catch (error) {
    // What the process will never hear of: a rename whose source is gone, a full disk.
    if (!(error instanceof EnvError)) throw error;
  }
}
