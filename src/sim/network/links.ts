// The cables: one directed link per pair of hosts, each up or down, with its own loss and latency. Nothing is known to
// the hosts but what does not arrive (M-1).
import type { Scheduler } from '../world/scheduler.ts';

export interface LinkSettings {
  up: boolean;
  /** Chance, 0 .. 1, that a message is lost. On a byte stream it only comes later. */
  loss: number;
  latencyMs: number;
  /** Mean of the exponential part of the latency; it is cut off at ten times this. */
  tailMs: number;
  /** Chance, 0 .. 1, that a message takes up to `lateMs` longer. On a byte stream all that follow wait for it. */
  late: number;
  lateMs: number;
}

/** Time within one host. */
const LOOPBACK_US = 20;

export class Links {
  /** For every link that has no settings of its own. */
  readonly defaults: LinkSettings = { up: true, loss: 0, latencyMs: 0.2, tailMs: 0.2, late: 0, lateMs: 0 };
  readonly #scheduler: Scheduler;
  readonly #own = new Map<string, Map<string, LinkSettings>>();

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  get(from: string, to: string): LinkSettings {
    return this.#own.get(from)?.get(to) ?? this.defaults;
  }

  set(from: string, to: string, change: Partial<LinkSettings>): void {
    let row = this.#own.get(from);
    if (row === undefined) {
      row = new Map();
      this.#own.set(from, row);
    }
    row.set(to, { ...this.get(from, to), ...change });
  }

  allUp(): void {
    this.defaults.up = true;
    for (const row of this.#own.values()) for (const link of row.values()) link.up = true;
  }

  /** Every link is as the defaults say. */
  reset(): void {
    this.#own.clear();
  }

  isUp(from: string, to: string): boolean {
    return from === to || this.get(from, to).up;
  }

  /** Whether this message is lost, by chance or because the link is down. */
  loses(from: string, to: string): boolean {
    if (from === to) return false;
    const link = this.get(from, to);
    return !link.up || this.drops(from, to);
  }

  /** Whether this message is lost by chance. */
  drops(from: string, to: string): boolean {
    const { loss } = this.get(from, to);
    return loss > 0 && from !== to && this.#scheduler.random.chance(`loss.${from}>${to}`, loss);
  }

  /** Microseconds that a message takes. */
  latencyUs(from: string, to: string): number {
    if (from === to) return LOOPBACK_US;
    const { latencyMs, tailMs, late, lateMs } = this.get(from, to);
    const uniform = (this.#scheduler.random.uint32(`latency.${from}>${to}`) + 1) / 0x1_0000_0000;
    const usual = Math.ceil(1000 * (latencyMs + Math.min(10, -Math.log(uniform)) * tailMs));
    const key = `late.${from}>${to}`;
    if (late === 0 || !this.#scheduler.random.chance(key, late)) return usual;
    return usual + this.#scheduler.random.below(key, 1000 * lateMs);
  }
}
