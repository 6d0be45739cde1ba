// Retention in the background (D-9.2): every log.retention.check.interval.ms a round over all partitions, by the configs and high
// watermarks that are in force then. A partition with nothing to delete costs a look at numbers in memory; its log stays cold.
import { assert } from '../base/assert.ts';
import type { NodeValues } from '../config/node-keys.ts';
import type { Clock, Timer } from '../env/clock.ts';
import { sleep } from '../env/clock.ts';
import { isEnvError } from '../env/error.ts';
import type { Partition } from './partition.ts';

/** After the start other work has precedence; Kafka's log.initial.task.delay.ms. */
const INITIAL_DELAY_MS = 30_000;
/** Partitions that are looked at before others get their turn. */
const PARTITIONS_PER_TURN = 20;

export interface UpkeepDeps {
  readonly clock: Clock;
  readonly values: Pick<NodeValues, 'log.retention.check.interval.ms'>;
  /** Those whose logs are open. */
  readonly partitions: () => Iterable<Partition>;
}

export class Upkeep {
  readonly #deps: UpkeepDeps;
  readonly #intervalMs: number;
  #timer: Timer | undefined;
  #round: Promise<void> | undefined;
  #stopped = false;

  constructor(deps: UpkeepDeps) {
    this.#deps = deps;
    this.#intervalMs = deps.values['log.retention.check.interval.ms'];
  }

  start(): void {
    assert(this.#timer === undefined, 'upkeep is started once');
    this.#next(Math.min(INITIAL_DELAY_MS, this.#intervalMs));
  }

  /** Resolves when a round that is under way has ended, which it does after the partition it is at. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#round;
  }

  #next(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer = this.#deps.clock.schedule(delayMs, () => {
      this.#round = this.#runRound().finally(() => this.#next(this.#intervalMs));
    });
  }

  async #runRound(): Promise<void> {
    let looked = 0;
    for (const partition of [...this.#deps.partitions()]) {
      if (this.#stopped) return;
      await this.#retain(partition);
      looked += 1;
      if (looked % PARTITIONS_PER_TURN === 0) await sleep(this.#deps.clock, 0);
    }
  }

  async #retain(partition: Partition): Promise<void> {
    if (partition.failure !== undefined || partition.isRetired) return;
    const { log, highWatermark } = partition;
    const limits = { highWatermark, nowMs: this.#deps.clock.wallTime() };
    if (!log.exceeds(limits)) return;
    try {
      const { logStartOffset } = log;
      await log.retain(limits);
      if (log.logStartOffset > logStartOffset) partition.logStartMoved();
    } catch (error) {
      if (!isEnvError(error)) throw error;
      partition.fail(error);
    }
  }
}
