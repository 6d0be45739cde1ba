// The durable side of the core: its disk effects in order, as batches of the store (M-5), with the note of what is durable kept
// beside them: raised after, lowered before anything is cut.
import type { StoreOperation } from '../env/store.ts';
import type { OpId, QuorumState, RaftEffect, Snapshot } from '../raft/types.ts';
import { DiskQueue } from './disk-queue.ts';
import type { DurableEnd, DurableEndNote, LogEnd } from './durable-end.ts';
import type { QuorumStorage } from './storage.ts';

export type DiskEffect = Extract<RaftEffect, { type: 'writeQuorumState' | 'append' | 'truncate' | 'catalogue' }>;

export interface DurableLogHooks {
  done(op: OpId): void;
  /** What the disk refused; nothing is written any more. */
  failed(error: unknown): void;
  /** The catalogue is durable: these snapshots are listed, others are not. */
  listed(snapshots: readonly Snapshot[]): void;
}

export class DurableLog {
  readonly #storage: QuorumStorage;
  readonly #note: DurableEndNote;
  readonly #hooks: DurableLogHooks;
  readonly #queue: DiskQueue;
  #state: QuorumState | undefined;
  #stateOp: OpId = -1;
  /** What is durable when the op is, oldest first. */
  readonly #ends: { readonly op: OpId; readonly end: DurableEnd }[] = [];

  constructor(storage: QuorumStorage, note: DurableEndNote, state: QuorumState | undefined, hooks: DurableLogHooks) {
    this.#storage = storage;
    this.#note = note;
    this.#state = state;
    this.#hooks = hooks;
    this.#queue = new DiskQueue({
      write: (operations) => storage.write(operations),
      done: (op) => {
        this.#raise(op);
        hooks.done(op);
      },
      failed: (error) => hooks.failed(error),
    });
  }

  /** Whether the epoch, vote and leader that were written last are durable (M-5a). */
  get isStateDurable(): boolean {
    return this.#queue.isDurable(this.#stateOp);
  }

  carryOut(effect: DiskEffect): void {
    switch (effect.type) {
      case 'writeQuorumState':
        this.#state = effect.state;
        this.#stateOp = effect.op;
        return this.#issue(effect.op, this.#storage.state(effect.state));
      case 'append':
        return this.#issue(effect.op, this.#storage.append(effect.batches));
      case 'truncate':
        return this.#issue(effect.op, this.#storage.truncate(effect.endOffset), this.#storage.end);
      case 'catalogue': {
        const { operations, garbage } = this.#storage.catalogue(effect.snapshots, effect.clearLog);
        this.#issue(effect.op, operations, effect.clearLog ? { logEndOffset: 0, lastEpoch: 0 } : undefined);
        return this.#queue.after(effect.op, () => {
          this.#hooks.listed(effect.snapshots);
          this.#discard(garbage);
        });
      }
    }
  }

  /** Runs `release` once `op` is durable: now if it is (M-5). */
  after(op: OpId | undefined, release: () => void): void {
    this.#queue.after(op, release);
  }

  /** Resolves when everything carried out so far is durable, or has failed. */
  idle(): Promise<void> {
    return this.#queue.idle();
  }

  async close(): Promise<void> {
    await this.#queue.idle();
    try {
      await this.#note.close();
    } finally {
      await this.#storage.close();
    }
  }

  /** `cut`: what stays of the log at least, until the operations are durable. */
  #issue(op: OpId, operations: readonly StoreOperation[], cut?: LogEnd): void {
    const { leaderEpoch = 0, votedKey } = this.#state ?? {};
    const { logEndOffset, lastEpoch } = this.#storage.end;
    this.#ends.push({ op, end: { logEndOffset, lastEpoch, leaderEpoch, votedKey } });
    this.#queue.issue(op, operations, cut === undefined ? undefined : () => this.#note.lower(cut));
  }

  #raise(op: OpId): void {
    let count = 0;
    while ((this.#ends[count]?.op ?? Number.POSITIVE_INFINITY) <= op) count++;
    const last = this.#ends.splice(0, count).at(-1);
    if (last !== undefined) this.#note.raise(last.end);
  }

  #discard(garbage: readonly Buffer[]): void {
    this.#storage.discard(garbage).catch((error: unknown) => this.#hooks.failed(error));
  }
}
