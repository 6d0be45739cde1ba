// Lists of the image that are the same are one: a cluster has many partitions and few combinations of brokers. Keeps the lists that
// it saw last, so many and no more; whoever asks gets an equal list, never anything else (C-0.5).
import type { NodeId } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';

/** A power of two. Three replicas on six brokers make 120 lists. */
const SLOTS = 4096;

const NO_NODES: readonly NodeId[] = [];

const nodeLists: (readonly NodeId[] | undefined)[] = Array.from({ length: SLOTS });
const directoryLists: (readonly Uuid[] | undefined)[] = Array.from({ length: SLOTS });

/** A list with the same ids, as small as can be. Nobody changes it. */
export function sharedIds(ids: readonly NodeId[]): readonly NodeId[] {
  if (ids.length === 0) return NO_NODES;
  return shared(nodeLists, slotOf(ids), ids);
}

/** The same of the directories of these replicas. */
export function sharedDirectories(directories: readonly Uuid[], replicas: readonly NodeId[]): readonly Uuid[] {
  return shared(directoryLists, slotOf(replicas), directories);
}

/** 32 bits of FNV-1a over the ids, folded. */
function slotOf(ids: readonly NodeId[]): number {
  let hash = 0x811c9dc5;
  for (const id of ids) hash = Math.imul(hash ^ id, 0x01000193);
  return (hash ^ (hash >>> 15)) & (SLOTS - 1);
}

function shared<T>(slots: (readonly T[] | undefined)[], slot: number, list: readonly T[]): readonly T[] {
  const known = slots[slot];
  if (known?.length === list.length && list.every((item, i) => item === known[i])) return known;
  // A list that grew as it was decoded has room for others: the copy has none.
  const copy = list.slice();
  slots[slot] = copy;
  return copy;
}
