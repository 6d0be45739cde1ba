// What the logs of a directory have noted in its Store while they are open: where they may be cut (M-7), where they start (D-9.2), how
// far they are compacted, and the epochs of leaders that have written nothing yet (D-1.4). Each is durable when it resolves.
import type { Offset } from '../base/ids.ts';
import type { Checkpoints, PartitionCheckpoint, PartitionKey } from './checkpoints.ts';
import { GroupCommit } from './group-commit.ts';
import type { EpochEntry } from './leader-epoch-cache.ts';
import type { LogHooks } from './log-hooks.ts';

const NO_CHECKPOINT: PartitionCheckpoint = { recoveryPoint: 0, logStartOffset: 0, highWatermark: 0 };

export class LogNotes {
  readonly #checkpoints: Checkpoints;
  readonly #epochs = new Map<PartitionKey, EpochEntry>();
  /** A broker that starts leads thousands of partitions at once: their epochs share a write. */
  readonly #commit = new GroupCommit(() => this.#putEpochs());

  constructor(checkpoints: Checkpoints) {
    this.#checkpoints = checkpoints;
  }

  /** For one log; `onDisk` is to watch over each of its writes. */
  hooks(key: PartitionKey, onDisk: (work: () => Promise<void>) => Promise<void>): LogHooks {
    return {
      beforeTruncation: (offset) => onDisk(() => this.#lowerRecoveryPoint(key, offset)),
      noteLogStart: (offset) => onDisk(() => this.#noteLogStart(key, offset)),
      lowerLogStart: (offset) => onDisk(() => this.#lowerLogStart(key, offset)),
      noteFirstDirty: (offset) => onDisk(() => this.#checkpoints.putFirstDirty(key, offset)),
      noteLeaderEpoch: (entry) => {
        this.#epochs.set(key, entry);
        return onDisk(() => this.#commit.request());
      },
    };
  }

  /** The partition is gone: nothing of it is written any more. */
  async remove(key: PartitionKey): Promise<void> {
    this.#epochs.delete(key);
    await this.#checkpoints.remove(key);
  }

  async #putEpochs(): Promise<void> {
    const entries = [...this.#epochs];
    this.#epochs.clear();
    await this.#checkpoints.put(
      entries.map(([key, leaderEpoch]) => [key, { ...(this.#checkpoints.get(key) ?? NO_CHECKPOINT), leaderEpoch }]),
    );
  }

  /** M-7: nothing durable may promise more than the log will have. */
  async #lowerRecoveryPoint(key: PartitionKey, offset: Offset): Promise<void> {
    if (this.#checkpoints.firstDirtyOffset(key) > offset) await this.#checkpoints.putFirstDirty(key, offset);
    const checkpoint = this.#checkpoints.get(key);
    if (checkpoint === undefined) return;
    const recoveryPoint = Math.min(checkpoint.recoveryPoint, offset);
    // What is cut by order of a leader is not missing after a crash.
    const highWatermark = Math.min(checkpoint.highWatermark, offset);
    // D-1.3
    const outlived = checkpoint.leaderEpoch !== undefined && checkpoint.leaderEpoch.startOffset >= offset;
    // What a checkpoint under way says already is not durable yet.
    const isSame = recoveryPoint === checkpoint.recoveryPoint && highWatermark === checkpoint.highWatermark;
    if (isSame && !outlived) return this.#checkpoints.settled();
    const leaderEpoch = outlived ? undefined : checkpoint.leaderEpoch;
    await this.#checkpoints.put([[key, { ...checkpoint, recoveryPoint, highWatermark, leaderEpoch }]]);
  }

  /** D-9.2: what is removed below the start stays removed, whatever a crash leaves of the folder. */
  async #noteLogStart(key: PartitionKey, offset: Offset): Promise<void> {
    const checkpoint = this.#checkpoints.get(key) ?? NO_CHECKPOINT;
    if (checkpoint.logStartOffset >= offset) return this.#checkpoints.settled();
    await this.#checkpoints.put([[key, { ...checkpoint, logStartOffset: offset }]]);
  }

  async #lowerLogStart(key: PartitionKey, offset: Offset): Promise<void> {
    const checkpoint = this.#checkpoints.get(key);
    if (checkpoint === undefined || checkpoint.logStartOffset <= offset) return this.#checkpoints.settled();
    await this.#checkpoints.put([[key, { ...checkpoint, logStartOffset: offset }]]);
  }
}
