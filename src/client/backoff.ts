// Waiting times between attempts: doubling from a base to a maximum, with a fifth of jitter either way, so that clients
// that failed together do not come back together.
import type { Ms } from '../base/ids.ts';
import type { Random } from '../env/random.ts';

export interface BackoffRange {
  readonly baseMs: Ms;
  readonly maxMs: Ms;
}

/** Kafka's `retry.backoff.ms` and `retry.backoff.max.ms` are 100 and 1000. */
const RETRY_BACKOFF: BackoffRange = { baseMs: 100, maxMs: 1000 };

/** How long to wait before attempt `attempt` + 1, counted from 1; `key` names the drawer for the Random port. */
export function backoffMs(random: Random, key: string, attempt: number, range: BackoffRange = RETRY_BACKOFF): Ms {
  const plain = Math.min(range.maxMs, range.baseMs * 2 ** Math.min(attempt - 1, 20));
  return Math.round(plain * (0.8 + random.below(key, 401) / 1000));
}
