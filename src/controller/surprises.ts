// What bounds a bug of a command (C-0.3). Each surprise costs the claim: the next controller may meet the same bug, when the same broker
// asks again or the same timer runs. So the operation that failed is not tried again by this node for a while, which doubles
// each time, and all others go on: of one bug, each controller gives up at most one claim per rest. The caller is given a verdict,
// which nobody tries elsewhere by himself.
import type { Ms } from '../base/ids.ts';

/**
 * Runs what a timer does: what it throws ends the claim. More than 0: the operation rests, so long still, and was not run.
 */
export type Attempt = (operation: string, run: () => void) => Ms;

interface Rest {
  readonly restMs: Ms;
  readonly until: Ms;
}

const FIRST_REST_MS: Ms = 1000;
const LONGEST_REST_MS: Ms = 10_000;

export class Surprises {
  readonly #rests = new Map<string, Rest>();

  /** The operation threw. */
  add(operation: string, now: Ms): void {
    const before = this.#rests.get(operation);
    const restMs = before === undefined ? FIRST_REST_MS : Math.min(LONGEST_REST_MS, before.restMs * 2);
    this.#rests.set(operation, { restMs, until: now + restMs });
  }

  /** It did not. */
  wentWell(operation: string): void {
    if (this.#rests.size > 0) this.#rests.delete(operation);
  }

  /** How long it should not be tried: 0 if it may. */
  restMs(operation: string, now: Ms): Ms {
    return Math.max(0, (this.#rests.get(operation)?.until ?? now) - now);
  }
}
