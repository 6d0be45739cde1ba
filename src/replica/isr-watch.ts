// Looks from time to time at what this broker leads: who lags leaves the ISR (D-4.2), who could not join it is asked for again, and who
// is not waited for any more holds up no high watermark (D-6.8). A partition where nothing is due costs a few compares.
import type { NodeValues } from '../config/node-keys.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { Partition } from './partition.ts';

const MAX_INTERVAL_MS = 1000;

export interface IsrWatchDeps {
  readonly clock: Clock;
  readonly values: Pick<NodeValues, 'replica.lag.time.max.ms'>;
  /** Those whose logs are open. */
  readonly partitions: () => Iterable<Partition>;
}

export class IsrWatch {
  readonly #deps: IsrWatchDeps;
  readonly #intervalMs: number;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(deps: IsrWatchDeps) {
    this.#deps = deps;
    this.#intervalMs = Math.min(MAX_INTERVAL_MS, Math.ceil(deps.values['replica.lag.time.max.ms'] / 4));
  }

  start(): void {
    if (!this.#stopped) this.#timer = this.#deps.clock.schedule(this.#intervalMs, () => this.#look());
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #look(): void {
    for (const partition of this.#deps.partitions()) {
      const { replicas = [], recovering = false } = partition.leader?.state ?? {};
      if (replicas.length > 1 || recovering) partition.reconsider();
    }
    this.start();
  }
}
