// The committed part of the log, for those who read it beside the state machine: `kvorum metadata tail`, WatchMetadata.
import type { Ms, Offset } from '../base/ids.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { RaftState } from '../raft/state.ts';
import type { Batch, SnapshotId } from '../raft/types.ts';

/** What a read of the committed log gives. */
export type CommittedRead =
  /** Whole batches in order, control batches included. The first may begin before the offset asked for; none: nothing new. */
  | { readonly type: 'batches'; readonly batches: readonly Batch[]; readonly endOffset: Offset }
  /** The log begins at `logStartOffset`: what lies before is in the snapshot `latest`. */
  | { readonly type: 'belowLogStart'; readonly logStartOffset: Offset; readonly latest: SnapshotId };

interface Waiter {
  readonly endOffset: Offset;
  readonly timer: Timer | undefined;
  readonly resolve: (committed: boolean) => void;
}

export class CommittedLog {
  readonly #raft: RaftState;
  readonly #clock: Clock;
  readonly #latest: () => SnapshotId | undefined;
  readonly #waiters = new Set<Waiter>();
  #closed = false;

  /** `latest`: the newest snapshot. */
  constructor(raft: RaftState, clock: Clock, latest: () => SnapshotId | undefined) {
    this.#raft = raft;
    this.#clock = clock;
    this.#latest = latest;
  }

  /** Batches from the one that holds `from` on: at least one if there is one, else at most `maxBytes` of records. */
  read(from: Offset, maxBytes: number): CommittedRead {
    const { log, highWatermark } = this.#raft;
    const latest = this.#latest();
    if (from < log.startOffset && latest !== undefined) {
      return { type: 'belowLogStart', logStartOffset: log.startOffset, latest };
    }
    if (from >= highWatermark) return { type: 'batches', batches: [], endOffset: from };
    const read = log.read(log.boundaryAtOrBelow(from), maxBytes);
    const batches = read.filter(({ baseOffset }) => baseOffset < highWatermark);
    const last = batches.at(-1);
    return { type: 'batches', batches, endOffset: last === undefined ? from : last.baseOffset + last.records.length };
  }

  /** True once everything below `endOffset` is committed as far as this node knows; false after `timeoutMs` or at the stop. */
  whenCommitted(endOffset: Offset, timeoutMs: Ms): Promise<boolean> {
    if (this.#raft.highWatermark >= endOffset) return Promise.resolve(true);
    if (this.#closed) return Promise.resolve(false);
    return new Promise((resolve) => {
      const timer = Number.isFinite(timeoutMs)
        ? this.#clock.schedule(Math.max(0, timeoutMs), () => {
            this.#waiters.delete(waiter);
            resolve(false);
          })
        : undefined;
      const waiter: Waiter = { endOffset, timer, resolve };
      this.#waiters.add(waiter);
    });
  }

  /** The high watermark moved. */
  committed(): void {
    for (const waiter of this.#waiters) {
      if (waiter.endOffset <= this.#raft.highWatermark) this.#settle(waiter, true);
    }
  }

  close(): void {
    this.#closed = true;
    for (const waiter of this.#waiters) this.#settle(waiter, false);
  }

  #settle(waiter: Waiter, committed: boolean): void {
    this.#waiters.delete(waiter);
    waiter.timer?.cancel();
    waiter.resolve(committed);
  }
}
