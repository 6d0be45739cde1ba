// A simulated world: virtual time, a network, processes. A run pops the next event, runs it, drains promises by one
// macrotask turn, checks the invariants, and repeats; its seed and its script decide everything (S-X1). An error that no
// code handles fails the run (S-X2).
import { assert } from '../../base/assert.ts';
import type { Env } from '../../env/env.ts';
import { SimNetwork } from '../network/sim-network.ts';
import { LogRing } from '../process/log-ring.ts';
import type { ProcessOptions } from '../process/process.ts';
import { SimProcess } from '../process/process.ts';
import type { SimEvent } from './event.ts';
import { SimulationFailure } from './failure.ts';
import type { Incarnation } from './incarnation.ts';
import { Scheduler } from './scheduler.ts';
import { captureUncaught, macrotaskTurn } from './turn.ts';

export interface WorldOptions {
  readonly seed: number;
  /** How many of the last log lines are kept; 2000 if not given. */
  readonly logLines?: number;
}

/** Client code that runs on a process of its own. */
export interface Spawned<T> {
  readonly process: SimProcess;
  readonly isDone: boolean;
  /** What it returned; fails before it is done. */
  readonly value: T;
}

export class World {
  readonly seed: number;
  readonly network: SimNetwork;
  readonly log: LogRing;
  readonly #scheduler: Scheduler;
  readonly #processes = new Map<string, SimProcess>();
  readonly #checks: { readonly name: string; readonly check: (host: string | undefined) => void }[] = [];
  #failure: SimulationFailure | undefined;

  constructor(options: WorldOptions) {
    this.seed = options.seed;
    const report = (error: unknown, from: Incarnation | undefined): void => this.#report(error, from);
    this.#scheduler = new Scheduler(options.seed, report);
    this.network = new SimNetwork(this.#scheduler, report);
    this.log = new LogRing(this.#scheduler, options.logLines ?? 2000);
  }

  /** Virtual milliseconds since the world began. */
  get nowMs(): number {
    return this.#scheduler.nowUs / 1000;
  }

  /** Events executed so far. */
  get eventCount(): number {
    return this.#scheduler.executed;
  }

  /** 32 bits over every event so far: two runs of one seed and script agree (S-X1). */
  get hash(): number {
    return this.#scheduler.hash;
  }

  /** The first failure, if there was one. Run methods throw it. */
  get failure(): SimulationFailure | undefined {
    return this.#failure;
  }

  /** Keyed draws for the harness; other keys than the product's and the world's disturb nothing. */
  get random(): Scheduler['random'] {
    return this.#scheduler.random;
  }

  /** Sees every event just before it runs. */
  set trace(hook: ((event: SimEvent) => void) | undefined) {
    this.#scheduler.trace = hook;
  }

  /** The process of that name, new and not started if there is none; it is reached at its name as host. */
  process(name: string, options: ProcessOptions = {}): SimProcess {
    let process = this.#processes.get(name);
    if (process === undefined) {
      const { network, log } = this;
      const scheduler = this.#scheduler;
      const world = {
        scheduler,
        network,
        log,
        report: (error: unknown, from: Incarnation) => this.#report(error, from),
      };
      process = new SimProcess(world, name, this.#processes.size + 1, options);
      this.#processes.set(name, process);
    }
    return process;
  }

  /** All processes, in the order of their creation. */
  processes(): readonly SimProcess[] {
    return [...this.#processes.values()];
  }

  /** Starts a process that runs `main`; if it fails, the run fails. */
  spawn<T>(name: string, main: (env: Env) => Promise<T>): Spawned<T> {
    let result: { readonly value: T } | undefined;
    const process = this.process(name);
    process.start(async (env) => {
      result = { value: await main(env) };
    });
    return {
      process,
      get isDone() {
        return result !== undefined;
      },
      get value() {
        assert(result !== undefined, `${name} is done`);
        return result.value;
      },
    };
  }

  /** What the process still has scheduled and open, as `3 timer`; empty for one that left nothing behind (S-X3). */
  leftOf(process: SimProcess): string[] {
    return [...this.openAt(process)].filter(([, count]) => count > 0).map(([what, count]) => `${count} ${what}`);
  }

  /** How much of each kind the process has scheduled and open. */
  openAt(process: SimProcess): Map<string, number> {
    const counts = new Map<string, number>(Object.entries(this.network.openAt(process.name)));
    for (const kind of this.#scheduler.pendingAt(process.name)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    return counts;
  }

  /** Runs harness code, such as a fault, `delayMs` from now. */
  after(delayMs: number, action: () => void): void {
    this.#scheduler.schedule(delayMs * 1000, 'harness', undefined, action);
  }

  /**
   * `check` runs after every event; what it throws fails the run under `name`. `host`: the only one whose code ran; undefined: any may
   * have.
   */
  addCheck(name: string, check: (host: string | undefined) => void): void {
    this.#checks.push({ name, check });
  }

  /** Fails the run. */
  fail(what: string, cause: unknown): void {
    this.#failure ??= new SimulationFailure(this.seed, this.nowMs, this.eventCount, what, cause);
  }

  /** Runs for so many virtual milliseconds. Throws SimulationFailure. */
  async runFor(durationMs: number): Promise<void> {
    await this.#run(this.#scheduler.nowUs + durationMs * 1000, () => false);
  }

  /** Runs until `predicate` holds, looked at after every event. SimulationFailure also if it does not within the limit. */
  async runUntil(predicate: () => boolean, limitMs: number, what = 'condition'): Promise<void> {
    const reached = await this.#run(this.#scheduler.nowUs + limitMs * 1000, predicate);
    if (reached) return;
    this.fail(what, `not reached within ${limitMs} ms`);
    this.#throwFailure();
  }

  /** Runs `main` on a process of its own until it returned. */
  async run<T>(name: string, limitMs: number, main: (env: Env) => Promise<T>): Promise<T> {
    const spawned = this.spawn(name, main);
    await this.runUntil(() => spawned.isDone, limitMs, `${name} is done`);
    return spawned.value;
  }

  async #run(untilUs: number, predicate: () => boolean): Promise<boolean> {
    const scheduler = this.#scheduler;
    const release = captureUncaught((error) => this.#report(error, scheduler.current));
    try {
      // What the harness did between runs may have left promises to drain.
      await macrotaskTurn();
      this.#throwFailure();
      while (!predicate()) {
        const event = scheduler.next(untilUs);
        if (event === undefined) {
          scheduler.advanceTo(untilUs);
          return false;
        }
        scheduler.execute(event);
        await macrotaskTurn();
        // A fault may have touched several; of a request to one, or an answer from its disk, it is known whose code it ran.
        const host = event.kind === 'harness' ? undefined : scheduler.current?.host;
        scheduler.current = undefined;
        for (const { name, check } of this.#checks) this.#runCheck(name, () => check(host));
        if (this.#failure !== undefined) this.#throwFailure();
      }
      return true;
    } finally {
      release();
    }
  }

  #runCheck(name: string, check: () => void): void {
    try {
      check();
    } catch (error) {
      this.fail(name, error);
    }
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** An error that would have ended a real process. */
  #report(error: unknown, from: Incarnation | undefined): void {
    // The rest of the event in which a process was crashed is not its doing any more.
    if (from?.isDead === true) return;
    const process = from === undefined ? undefined : this.#processes.get(from.host);
    const verdict = process?.judge(error) ?? 'fail';
    if (verdict === 'fail') this.fail(from?.label ?? 'the harness', error);
    else if (verdict === 'die') process?.kill();
  }
}
