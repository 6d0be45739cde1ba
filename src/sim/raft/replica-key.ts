// Identities of simulated disks: a directory id from seed, node and how often the disk was formatted.
import type { NodeId } from '../../base/ids.ts';
import { KeyedRandom } from '../../base/keyed-random.ts';
import { uuidFromBytes } from '../../base/uuid.ts';
import type { ReplicaKey } from '../../raft/types.ts';

/** Where the node listens, unless a voter change says otherwise. */
export function endpointOf(id: NodeId): string {
  return `node${id}:9093`;
}

/** The node on its `format`-th disk, from 0. */
export function replicaKey(seed: number, id: NodeId, format: number): ReplicaKey {
  return { id, directoryId: uuidFromBytes(new KeyedRandom(seed).bytes(`directory ${id} ${format}`, 16)) };
}
