// One simulated process: it starts, is killed, loses power, is paused, and starts again on the same disk. Each life is an
// incarnation with its own Env; nothing that an ended life began ever calls back.
import { assert } from '../../base/assert.ts';
import { hash32, KeyedRandom, mix32 } from '../../base/keyed-random.ts';
import type { Env } from '../../env/env.ts';
import { simDiskPort } from '../disk/disk-port.ts';
import { SimDisk } from '../disk/sim-disk.ts';
import type { SimNetwork } from '../network/sim-network.ts';
import { simOpenStore } from '../store/store-port.ts';
import { Incarnation } from '../world/incarnation.ts';
import type { Scheduler } from '../world/scheduler.ts';
import { SimQuartz, simClock } from './clock.ts';
import type { LogRing } from './log-ring.ts';

/** What an unhandled error means: the run fails (S-X2), this process dies as by `kill`, or nothing. */
export type ErrorVerdict = 'fail' | 'die' | 'ignore';

export interface ProcessOptions {
  /** How fast its clock runs; 1 is right. */
  readonly clockRate?: number;
  /** Asked about an error that nobody handled, before the run fails for it: whether the fault plan explains it. */
  readonly judge?: (error: unknown) => ErrorVerdict;
}

/** What a process needs of its world. */
export interface ProcessWorld {
  readonly scheduler: Scheduler;
  readonly network: SimNetwork;
  readonly log: LogRing;
  /** Takes errors of the process that nobody handled. */
  readonly report: (error: unknown, from: Incarnation) => void;
}

export class SimProcess {
  /** Its host name as well. */
  readonly name: string;
  readonly disk: SimDisk;
  readonly judge: (error: unknown) => ErrorVerdict;
  readonly #world: ProcessWorld;
  readonly #id: number;
  readonly #quartz: SimQuartz;
  readonly #random: KeyedRandom;
  #lives = 0;
  /** Of its host: what is not synced is lost with each end of one. */
  #boots = 1;
  #incarnation: Incarnation | undefined;

  constructor(world: ProcessWorld, name: string, id: number, options: ProcessOptions) {
    this.name = name;
    this.judge = options.judge ?? (() => 'fail');
    this.#world = world;
    this.#id = id;
    this.disk = new SimDisk(world.scheduler, name);
    this.#quartz = new SimQuartz(world.scheduler, options.clockRate ?? 1);
    this.#random = new KeyedRandom(mix32(world.scheduler.random.seed ^ hash32(name)));
    world.network.addHost(name);
  }

  /** Whether it lives, running or paused. */
  get isAlive(): boolean {
    return this.#incarnation !== undefined;
  }

  get isPaused(): boolean {
    return this.#incarnation?.state === 'paused';
  }

  /** 1 for the first life, 0 before it. */
  get lives(): number {
    return this.#lives;
  }

  /**
   * Begins a new life and returns its ports. `main` runs as the first event of it; if it fails, and the process still
   * lives, the run fails.
   */
  start(main?: (env: Env) => Promise<void> | void): Env {
    assert(this.#incarnation === undefined, () => `${this.name} is already running`);
    const { scheduler, network, log } = this.#world;
    const incarnation = new Incarnation(this.name, this.#id, ++this.#lives);
    this.#incarnation = incarnation;
    network.started(incarnation);
    const clock = simClock(scheduler, incarnation, this.#quartz);
    const boot = this.#boots;
    const env: Env = {
      clock,
      random: this.#random,
      disk: simDiskPort(this.disk, incarnation),
      openStore: simOpenStore(this.disk, incarnation),
      network: network.port(incarnation, clock),
      logger: log.logger(incarnation),
      bootId: () => `${this.name}/${boot}`,
    };
    if (main !== undefined) this.#spawn(incarnation, async () => main(env));
    return env;
  }

  /** SIGKILL: it ends at once, the page cache survives. Nothing if it does not live. */
  kill(): void {
    const incarnation = this.#end();
    if (incarnation === undefined) return;
    this.disk.kill(incarnation);
    this.#world.network.killed(incarnation);
  }

  /** The host loses power: what was not synced is lost, torn or kept at random; peers hear nothing. Works on a dead one. */
  powerCut(): void {
    const incarnation = this.#end();
    this.#boots += 1;
    this.disk.powerCut(incarnation);
    this.#world.network.powerCut(this.name, incarnation);
  }

  /** SIGSTOP: what happens to it waits for `resume`. Nothing if it does not live. */
  pause(): void {
    if (this.#incarnation !== undefined) this.#incarnation.state = 'paused';
  }

  /** SIGCONT: all that it missed happens now, in order. */
  resume(): void {
    const incarnation = this.#incarnation;
    if (incarnation?.state !== 'paused') return;
    incarnation.state = 'running';
    this.#world.scheduler.requeue(incarnation);
  }

  /** Its clock runs at `rate` from now on. */
  setClockRate(rate: number): void {
    this.#quartz.setRate(rate);
  }

  /** Its wall clock jumps by this much. */
  jumpWallClock(deltaMs: number): void {
    this.#quartz.jumpWall(deltaMs);
  }

  #end(): Incarnation | undefined {
    const incarnation = this.#incarnation;
    this.#incarnation = undefined;
    if (incarnation !== undefined) {
      incarnation.state = 'dead';
      this.#world.scheduler.forget(incarnation);
    }
    return incarnation;
  }

  #spawn(incarnation: Incarnation, main: () => Promise<void>): void {
    this.#world.scheduler.schedule(0, 'start', incarnation, () => {
      main().catch((error: unknown) => {
        if (!incarnation.isDead) this.#world.report(error, incarnation);
      });
    });
  }
}
