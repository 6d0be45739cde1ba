// One simulated host for the log alone: a disk with M-2's weaknesses, lives of a process on it, and a pump that runs the
// disk's events one by one, so that a test decides where a crash falls.
import type { Disk } from '../../../src/env/disk.ts';
import type { OpenStore } from '../../../src/env/store.ts';
import type { LogDeps } from '../../../src/log/log-state.ts';
import { simDiskPort } from '../../../src/sim/disk/disk-port.ts';
import { SimDisk } from '../../../src/sim/disk/sim-disk.ts';
import { simOpenStore } from '../../../src/sim/store/store-port.ts';
import { Incarnation } from '../../../src/sim/world/incarnation.ts';
import { Scheduler } from '../../../src/sim/world/scheduler.ts';
import { macrotaskTurn } from '../../../src/sim/world/turn.ts';
import { deps, quietLogger } from '../../unit/log/fixture.ts';

export class SimWorld {
  readonly scheduler: Scheduler;
  readonly simDisk: SimDisk;
  /** Names of the log lines of all lives. */
  readonly events: string[] = [];
  #incarnation: Incarnation;

  constructor(seed: number) {
    this.scheduler = new Scheduler(seed, (error) => {
      throw error;
    });
    this.simDisk = new SimDisk(this.scheduler, 'host');
    // The folder of the partition is LogDirectory's to make durable.
    this.simDisk.provision('/data/t-0');
    this.#incarnation = new Incarnation('host', 1, 1);
  }

  get disk(): Disk {
    return simDiskPort(this.simDisk, this.#incarnation);
  }

  get openStore(): OpenStore {
    return simOpenStore(this.simDisk, this.#incarnation);
  }

  get deps(): LogDeps {
    return { ...deps(), disk: this.disk, logger: quietLogger(this.events) };
  }

  /** Runs up to `count` events of the disk. */
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
    const note = () => {
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
