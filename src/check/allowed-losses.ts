// Which records of a history may be gone, and no others: tails that went with the power, and what the loss ledger names (S-D8). A
// closed entry of the ledger allows its ranges, an open one everything; both only what is of an epoch before the entry's.
import type { Epoch, Ms, Offset } from '../base/ids.ts';
import type { ClientHistory, LossEntry, Place, Read, TailLoss, Write } from './history.ts';
import { groupBy, placeName } from './history.ts';

/** A record in question. */
interface Suspect extends Place {
  /** -1: not known. */
  readonly offset: Offset;
  /** Undefined: not known. */
  readonly leaderEpoch: Epoch | undefined;
  /** When it was sent; undefined: not known. */
  readonly invokedAtMs: Ms | undefined;
}

export class AllowedLosses {
  readonly #tails: ReadonlyMap<string, readonly TailLoss[]>;
  readonly #entries: ReadonlyMap<string, readonly LossEntry[]>;
  /** Of records that somebody saw, by place, offset and text. */
  readonly #epochs = new Map<string, Epoch>();
  readonly #final = new Set<string>();
  readonly #finalOffsets = new Map<string, Offset>();

  constructor({ losses, ledger, reads, logs }: Pick<ClientHistory, 'losses' | 'ledger' | 'reads' | 'logs'>) {
    this.#tails = groupBy(losses, placeName);
    this.#entries = groupBy(ledger, placeName);
    for (const read of reads) this.#see(keyOf(read, read.offset, read.text), read.leaderEpoch);
    for (const log of logs) {
      const place = placeName(log);
      for (const { offset, text, leaderEpoch } of log.records) {
        const key = keyOf(log, offset, text);
        this.#see(key, leaderEpoch);
        this.#final.add(key);
        this.#finalOffsets.set(`${place} ${text}`, offset);
      }
    }
  }

  /** Whether an acknowledged record is where it was acknowledged; without an offset anywhere in its log. */
  has(write: Write): boolean {
    return write.offset < 0 ? this.offsetOf(write) >= 0 : this.#final.has(keyOf(write, write.offset, write.text));
  }

  /** Where the write was acknowledged; where that was not said, the offset at which it is; -1: it is not there. */
  offsetOf(write: Write): Offset {
    if (write.offset >= 0) return write.offset;
    return this.#finalOffsets.get(`${placeName(write)} ${write.text}`) ?? -1;
  }

  /** Whether an acknowledged record may be gone. */
  mayLack(write: Write): boolean {
    return this.#allows({ ...write, leaderEpoch: this.epochOf(write) });
  }

  /** Whether it may be gone, and is. */
  lacks(write: Write): boolean {
    return !this.has(write) && this.mayLack(write);
  }

  /** Whether a record that was read may be gone. */
  mayLackRead(read: Read): boolean {
    return this.#allows({ ...read, invokedAtMs: undefined });
  }

  /** Of the batch with the write. If it was written twice, as the first copy was lost, of the one that was acknowledged: the later. */
  epochOf(write: Write): Epoch | undefined {
    return write.leaderEpoch ?? this.#epochs.get(keyOf(write, write.offset, write.text));
  }

  #see(key: string, leaderEpoch: Epoch): void {
    this.#epochs.set(key, Math.max(leaderEpoch, this.#epochs.get(key) ?? leaderEpoch));
  }

  #allows(suspect: Suspect): boolean {
    const place = placeName(suspect);
    return (
      (this.#tails.get(place) ?? []).some((loss) => isInTail(loss, suspect)) ||
      (this.#entries.get(place) ?? []).some((entry) => isInEntry(entry, suspect))
    );
  }
}

/** Sent before the power went (if that is known), of no later epoch, and not durable. */
function isInTail(loss: TailLoss, { offset, leaderEpoch, invokedAtMs }: Suspect): boolean {
  if (invokedAtMs === undefined && leaderEpoch !== undefined && leaderEpoch > loss.leaderEpoch) return false;
  if (invokedAtMs !== undefined && loss.atMs < invokedAtMs) return false;
  return offset < 0 || offset >= loss.fromOffset;
}

function isInEntry(entry: LossEntry, { offset, leaderEpoch }: Suspect): boolean {
  if (leaderEpoch !== undefined && leaderEpoch >= entry.newLeaderEpoch) return false;
  if (isOpen(entry)) return true;
  return entry.ranges.some(({ kind, fromOffset, toOffset }) => {
    // What a leader deleted before is not lost with a follower that missed it.
    if (kind === 'hole') return false;
    return offset < 0 ? fromOffset < toOffset : fromOffset <= offset && offset < toOffset;
  });
}

/** Whether more may be gone than the entry says. */
export function isOpen({ awaited, ranges }: LossEntry): boolean {
  return awaited.length > 0 || ranges.some(({ kind }) => kind === 'gone');
}

function keyOf(place: Place, offset: Offset, text: string): string {
  return `${placeName(place)}@${offset} ${text}`;
}
