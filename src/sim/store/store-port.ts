// The Store port of one incarnation over the databases of its host's disk.
import { EnvError } from '../../env/error.ts';
import type { OpenStore, Store, StoreOperation, StoreRange } from '../../env/store.ts';
import type { SimDisk } from '../disk/sim-disk.ts';
import type { Incarnation } from '../world/incarnation.ts';
import type { Entry } from './sorted-map.ts';
import type { StoreState } from './state.ts';

/** Entries that one read of an iteration brings. */
const PAGE_ENTRIES = 256;

export function simOpenStore(disk: SimDisk, incarnation: Incarnation): OpenStore {
  return (path) =>
    disk.operate(
      incarnation,
      disk.latency(disk.settings.syncLatencyUs),
      () => {
        disk.throwFailure('directory', path);
        const directory = disk.tree.makeDirectory(path);
        // The port promises durability of synced batches without any sync of a directory.
        disk.tree.pin(path);
        directory.store ??= disk.newStore(path);
        const state = directory.store;
        if (state.isLocked) throw new EnvError('LOCKED', `${path} is open in ${state.holder?.label}`);
        if (state.corrupt) throw new EnvError('CORRUPT', `the database in ${path} is damaged`);
        state.holder = incarnation;
        state.settle();
        return new SimStore(disk, incarnation, path, state);
      },
      { kind: 'store' },
    );
}

class SimStore implements Store {
  readonly #disk: SimDisk;
  readonly #incarnation: Incarnation;
  readonly #path: string;
  readonly #state: StoreState;
  #isOpen = true;

  constructor(disk: SimDisk, incarnation: Incarnation, path: string, state: StoreState) {
    this.#disk = disk;
    this.#incarnation = incarnation;
    this.#path = path;
    this.#state = state;
  }

  async get(key: Uint8Array): Promise<Buffer | undefined> {
    this.#assertOpen();
    const wanted = Buffer.from(key);
    return this.#read(() => {
      const value = this.#state.content.get(wanted);
      return value === undefined ? undefined : Buffer.from(value);
    });
  }

  async batch(operations: readonly StoreOperation[], options: { readonly sync: boolean }): Promise<void> {
    this.#assertOpen();
    const disk = this.#disk;
    const state = this.#state;
    const copy = operations.map(copyOf);
    const { nowUs } = disk.scheduler;
    const latency = disk.latency(options.sync ? disk.settings.syncLatencyUs : disk.settings.metadataLatencyUs);
    state.busyUntilUs = Math.max(state.busyUntilUs, nowUs + latency);
    const apply = (sync: boolean): void => {
      const before = state.sizeBytes;
      state.apply(copy, sync);
      disk.freeRoom(before - state.sizeBytes);
    };
    const effect = (): void => {
      const full = this.#fullFor(copy);
      if (full !== undefined) throw full;
      const failure = disk.failure('store', this.#path);
      if (failure === undefined) {
        apply(options.sync);
        return;
      }
      if (disk.scheduler.random.chance(disk.key, 0.5)) apply(false);
      throw failure;
    };
    const interrupted = (): void => state.apply(copy, false);
    await disk.operate(this.#incarnation, state.busyUntilUs - nowUs, effect, {
      kind: 'store',
      interrupted,
      chain: state,
    });
  }

  entries(range: StoreRange = {}): AsyncIterable<readonly [key: Buffer, value: Buffer]> {
    this.#assertOpen();
    const limit = range.limit ?? Number.POSITIVE_INFINITY;
    const found = this.#state.content.range(range.from, range.to, range.reverse === true, limit);
    return this.#pages(found);
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const { nowUs } = this.#disk.scheduler;
    const latency = Math.max(
      this.#disk.latency(this.#disk.settings.metadataLatencyUs),
      this.#state.busyUntilUs - nowUs + 1,
    );
    await this.#disk.operate(
      this.#incarnation,
      latency,
      () => {
        this.#state.holder = undefined;
      },
      { kind: 'store' },
    );
  }

  async *#pages(found: readonly Entry[]): AsyncGenerator<readonly [Buffer, Buffer]> {
    for (let at = 0; at === 0 || at < found.length; at += PAGE_ENTRIES) {
      this.#assertOpen();
      const page = await this.#read(() =>
        found.slice(at, at + PAGE_ENTRIES).map(([key, value]) => [Buffer.from(key), Buffer.from(value)] as const),
      );
      yield* page;
    }
  }

  #read<T>(effect: () => T): Promise<T> {
    const disk = this.#disk;
    return disk.operate(
      this.#incarnation,
      disk.latency(disk.settings.readLatencyUs),
      () => {
        disk.throwFailure('read', this.#path);
        return effect();
      },
      { kind: 'store' },
    );
  }

  /** Even what removes more than it adds is written beside the old content first. */
  #fullFor(operations: readonly StoreOperation[]): EnvError | undefined {
    let wanted = 0;
    for (const operation of operations)
      if (operation.type === 'put') wanted += operation.key.length + operation.value.length;
    const room = this.#disk.takeRoom(wanted);
    this.#disk.freeRoom(room);
    return room < wanted ? new EnvError('NO_SPACE', `no space left to write ${this.#path}`) : undefined;
  }

  #assertOpen(): void {
    if (!this.#isOpen) throw new EnvError('CLOSED', `the database in ${this.#path} is closed`);
  }
}

function copyOf(operation: StoreOperation): StoreOperation {
  const key = Buffer.from(operation.key);
  return operation.type === 'put' ? { type: 'put', key, value: Buffer.from(operation.value) } : { type: 'delete', key };
}
