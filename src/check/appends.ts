// Who wrote which batch, over all lives of all brokers: S-M3, S-D4, and with them D-0.7 (a broker that acts before it has
// seen its own registration would write under an epoch of its life before).
import type { Epoch, Offset } from '../base/ids.ts';
import type { Place } from './history.ts';
import { placeName } from './history.ts';
import type { Violation } from './violation.ts';
import { violation } from './violation.ts';

export interface SeenBatch extends Place {
  readonly baseOffset: Offset;
  readonly leaderEpoch: Epoch;
  readonly crc: number;
}

export class AppendHistory {
  readonly #batches = new Map<string, { readonly crc: number; isOwned: boolean }>();
  readonly #appenders = new Map<string, string>();

  /**
   * Takes in what lies in a log. `appender`: a life of the broker that led the batch's epoch; the batch belongs to the life in which it
   * is seen first. Undefined: a copy at another broker, which must be the same batch (S-D4).
   */
  see(appender: string | undefined, batch: SeenBatch): Violation | undefined {
    const at = `${placeName(batch)}@${batch.baseOffset} of epoch ${batch.leaderEpoch}`;
    let seen = this.#batches.get(at);
    if (seen !== undefined && seen.crc !== batch.crc) {
      return violation('S-D4', `${at} was two different batches, the second seen at ${appender ?? 'a follower'}`);
    }
    if (seen === undefined) {
      seen = { crc: batch.crc, isOwned: false };
      this.#batches.set(at, seen);
    }
    if (seen.isOwned || appender === undefined) return undefined;
    seen.isOwned = true;
    const epoch = `${placeName(batch)} epoch ${batch.leaderEpoch}`;
    const first = this.#appenders.get(epoch);
    if (first === undefined) this.#appenders.set(epoch, appender);
    if (first === undefined || first === appender) return undefined;
    return violation('S-M3', `${first} and ${appender} both appended to ${epoch}`);
  }
}
