// The durability barrier (M-5): disk operations in the order the core issued them, one synced store batch at a time;
// what arrives while one is being written forms the next (R-3, append linger 0). Messages wait for their operation here.
import type { StoreOperation } from '../env/store.ts';
import type { OpId } from '../raft/types.ts';

export interface DiskQueueHooks {
  /** One atomic, synced batch. A failure is fatal for the node. */
  write(operations: readonly StoreOperation[]): Promise<void>;
  /** Everything up to and including `op` is durable. */
  done(op: OpId): void;
  failed(error: unknown): void;
}

export class DiskQueue {
  readonly #hooks: DiskQueueHooks;
  #pending: StoreOperation[] = [];
  /** What has to happen before the pending operations are written. */
  #before: (() => Promise<void>)[] = [];
  /** Last op issued, and last op known durable. */
  #issued: OpId = -1;
  #durable: OpId = -1;
  #writing: Promise<void> | undefined;
  #failed = false;
  readonly #held: { readonly op: OpId; readonly release: () => void }[] = [];

  constructor(hooks: DiskQueueHooks) {
    this.#hooks = hooks;
  }

  /** `before` has resolved before any of the operations is written; its failure is a failure of the write. */
  issue(op: OpId, operations: readonly StoreOperation[], before?: () => Promise<void>): void {
    for (const operation of operations) this.#pending.push(operation);
    if (before !== undefined) this.#before.push(before);
    this.#issued = op;
    if (this.#writing === undefined && !this.#failed) this.#writing = this.#run();
  }

  /** Runs `release` once `op` is durable: now if it is. Held ones run in the order of the calls. */
  after(op: OpId | undefined, release: () => void): void {
    if (op === undefined || op <= this.#durable) release();
    else this.#held.push({ op, release });
  }

  isDurable(op: OpId): boolean {
    return op <= this.#durable;
  }

  /** Resolves when everything issued so far is durable, or has failed. */
  async idle(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #run(): Promise<void> {
    try {
      while (this.#issued > this.#durable) {
        const operations = this.#pending;
        const op = this.#issued;
        const preparations = this.#before;
        this.#pending = [];
        this.#before = [];
        for (const prepare of preparations) await prepare();
        await this.#hooks.write(operations);
        this.#durable = op;
        this.#release();
        this.#hooks.done(op);
      }
    } catch (error) {
      this.#failed = true;
      this.#hooks.failed(error);
    } finally {
      this.#writing = undefined;
    }
  }

  #release(): void {
    let count = 0;
    while (count < this.#held.length && (this.#held[count] as { op: OpId }).op <= this.#durable) count++;
    for (const { release } of this.#held.splice(0, count)) release();
  }
}
