// Who may lead a partition or be in its ISR (C-5.1), as of one operation.
import type { NodeId } from '../../base/ids.ts';
import type { Uuid } from '../../base/uuid.ts';
import { ZERO_UUID } from '../../base/uuid.ts';
import type { MetadataImage, PartitionState } from '../../metadata/image.ts';
import { isActive } from '../../metadata/image.ts';

/** Where the replicas of a partition are. */
export type Placed = Pick<PartitionState, 'replicas' | 'directories'>;

/** Whether the broker may lead the partition or be in its ISR (C-5.1). */
export type Acceptable = (brokerId: NodeId, state: Placed) => boolean;

/** What the operation itself changes, which the image does not show yet. */
export interface Operation {
  /** Not acceptable whatever the image says: moved out of its partitions. */
  readonly leaving?: NodeId | undefined;
  /** Unfenced by this operation. */
  readonly joining?: NodeId | undefined;
  /** Only these log dirs of that broker are online. */
  readonly failing?: { readonly brokerId: NodeId; readonly logDirs: readonly Uuid[] } | undefined;
}

/**
 * C-5.1: registered, unfenced, not in controlled shutdown, and with the log dir online that holds the replica; a replica whose
 * broker has not said where it is counts as online.
 */
export function acceptableIn(image: MetadataImage, { leaving, joining, failing }: Operation = {}): Acceptable {
  const online = new Map<NodeId, readonly Uuid[]>();
  for (const broker of image.brokers.values()) {
    const { brokerId, logDirs } = broker;
    const unfenced = brokerId === joining ? { ...broker, fenced: false } : broker;
    if (brokerId === leaving || !isActive(unfenced)) continue;
    online.set(brokerId, brokerId === failing?.brokerId ? failing.logDirs : logDirs);
  }
  return (brokerId, { replicas, directories }) => {
    const logDirs = online.get(brokerId);
    const directory = directories[replicas.indexOf(brokerId)];
    if (logDirs === undefined || directory === undefined) return false;
    return directory === ZERO_UUID || logDirs.includes(directory);
  };
}
