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
  readonly #batches = new Map<string, number>();
  readonly #appenders = new Map<string, string>();

  /** Takes in what lies in a log; a batch belongs to the life of a broker in which it was seen first. */
  see(appender: string, batch: SeenBatch): Violation | undefined {
    const at = `${placeName(batch)}@${batch.baseOffset} of epoch ${batch.leaderEpoch}`;
    const crc = this.#batches.get(at);
    if (crc === batch.crc) return undefined;
    if (crc !== undefined) return violation('S-D4', `${at} was two different batches, the second seen at ${appender}`);
    this.#batches.set(at, batch.crc);
    const epoch = `${placeName(batch)} epoch ${batch.leaderEpoch}`;
    const first = this.#appenders.get(epoch);
    if (first === undefined) this.#appenders.set(epoch, appender);
    if (first === undefined || first === appender) return undefined;
    return violation('S-M3', `${first} and ${appender} both appended to ${epoch}`);
  }
}
