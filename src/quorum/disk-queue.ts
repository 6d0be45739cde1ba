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
  /** Last op issued, and last op known durable. */
  #issued: OpId = -1;
  #durable: OpId = -1;
  #writing: Promise<void> | undefined;
  #failed = false;
  readonly #held: { readonly op: OpId; readonly release: () => void }[] = [];

  constructor(hooks: DiskQueueHooks) {
    this.#hooks = hooks;
  }

  issue(op: OpId, operations: readonly StoreOperation[]): void {
    this.#pending.push(...operations);
    this.#issued = op;
    if (this.#writing === undefined && !this.#failed) this.#writing = this.#run();
  }

  /** Runs `release` once `op` is durable: now if it is. Held ones run in the order of the calls. */
  after(op: OpId | undefined, release: () => void): void {
    if (op === undefined || op <= this.#durable) release();
    else this.#held.push({ op, release });
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
        this.#pending = [];
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
