// One simulated host for a log directory alone: the disk of the cluster simulation with M-2's weaknesses, lives of a process
// on it, and a pump that runs its events one by one, so that a test decides where a crash falls.
import type { NodeValues } from '../../../src/config/node-keys.ts';
import { NODE_KEYS } from '../../../src/config/node-keys.ts';
import type { Logger } from '../../../src/env/logger.ts';
import { IndexMemory } from '../../../src/log/index-memory.ts';
import type { LogDirectoryDeps } from '../../../src/log/log-directory.ts';
import { createLogShared } from '../../../src/log/log-shared.ts';
import { simDiskPort } from '../../../src/sim/disk/disk-port.ts';
import { SimDisk } from '../../../src/sim/disk/sim-disk.ts';
import { SimQuartz, simClock } from '../../../src/sim/process/clock.ts';
import { simOpenStore } from '../../../src/sim/store/store-port.ts';
import { Incarnation } from '../../../src/sim/world/incarnation.ts';
import { Scheduler } from '../../../src/sim/world/scheduler.ts';
import { macrotaskTurn } from '../../../src/sim/world/turn.ts';

export const DATA = '/data';

export class SimWorld {
  readonly scheduler: Scheduler;
  readonly simDisk: SimDisk;
  /** Names of the log lines of all lives. */
  readonly events: string[] = [];
  readonly #values: NodeValues;
  readonly #indexBytes: number;
  readonly #quartz: SimQuartz;
  #incarnation: Incarnation;

  /** `nodeValues`: instead of the defaults. `indexBytes`: memory for loaded indexes. */
  constructor(seed: number, nodeValues: Partial<NodeValues> = {}, indexBytes = Number.POSITIVE_INFINITY) {
    this.scheduler = new Scheduler(seed, (error) => {
      throw error;
    });
    this.simDisk = new SimDisk(this.scheduler, 'host');
    this.simDisk.provision(DATA);
    const defaults = Object.fromEntries(Object.entries(NODE_KEYS).map(([name, key]) => [name, key.default]));
    this.#values = { ...(defaults as unknown as NodeValues), ...nodeValues };
    this.#indexBytes = indexBytes;
    this.#quartz = new SimQuartz(this.scheduler, 1);
    this.#incarnation = new Incarnation('host', 1, 1);
  }

  get nodeValues(): NodeValues {
    return this.#values;
  }

  /** Counts the lives of the process. */
  get life(): number {
    return this.#incarnation.number;
  }

  /** For a log directory of this life. */
  deps(): LogDirectoryDeps {
    const note = (event: string): void => void this.events.push(event);
    const logger: Logger = { debug: () => {}, info: note, warn: note, error: note, child: () => logger };
    return {
      disk: simDiskPort(this.simDisk, this.#incarnation),
      openStore: simOpenStore(this.simDisk, this.#incarnation),
      clock: simClock(this.scheduler, this.#incarnation, this.#quartz),
      logger,
      shared: { ...createLogShared(this.#values), indexes: new IndexMemory(this.#indexBytes) },
    };
  }

  /** Runs up to `count` events. */
  async pump(count: number): Promise<void> {
    await macrotaskTurn();
    for (let i = 0; i < count; i++) {
      const event = this.scheduler.next(Number.MAX_SAFE_INTEGER);
      if (event === undefined) return;
      this.scheduler.execute(event);
      await macrotaskTurn();
    }
  }

  /** Runs events until the promise is settled. */
  async finish<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const note = (): void => {
      settled = true;
    };
    promise.then(note, note);
    for (;;) {
      await macrotaskTurn();
      if (settled) return promise;
      const event = this.scheduler.next(Number.MAX_SAFE_INTEGER);
      if (event === undefined) throw new Error('the promise waits for nothing');
      this.scheduler.execute(event);
    }
  }

  /** Ends the process; a power cut also loses what was not synced. The next life begins. */
  crash(how: 'kill' | 'power-cut'): void {
    this.#incarnation.state = 'dead';
    if (how === 'kill') this.simDisk.kill(this.#incarnation);
    else this.simDisk.powerCut(this.#incarnation);
    this.#incarnation = new Incarnation('host', 1, this.#incarnation.number + 1);
  }
}
