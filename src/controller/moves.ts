// How much each broker's going, or coming back, has moved so far, for the log line that comes when that is done.
import type { NodeId } from '../base/ids.ts';
import type { MetadataRecord } from '../gen/kvorum/v1/metadata.ts';

export interface Moved {
  /** Partitions that changed. */
  readonly partitions: number;
  /** Of these, the ones that changed their leader, to none perhaps. */
  readonly leaders: number;
}

const NONE: Moved = { partitions: 0, leaders: 0 };

export class Moves {
  readonly #moved = new Map<NodeId, Moved>();

  add(brokerId: NodeId, records: readonly MetadataRecord[]): void {
    let { partitions, leaders } = this.#moved.get(brokerId) ?? NONE;
    const before = partitions;
    for (const { kind } of records) {
      if (kind?.$case !== 'partitionChange') continue;
      partitions++;
      if (kind.partitionChange.leader !== undefined) leaders++;
    }
    if (partitions > before) this.#moved.set(brokerId, { partitions, leaders });
  }

  /** What was added since it was taken last. */
  take(brokerId: NodeId): Moved {
    const moved = this.#moved.get(brokerId) ?? NONE;
    this.#moved.delete(brokerId);
    return moved;
  }
}
