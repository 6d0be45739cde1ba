// Whose turn it is to append to a partition. A log that is cold is warmed first, which takes time: who comes meanwhile waits in
// line, so that a partition gets its batches in the order in which they were brought.
import type { Partition } from './partition.ts';

/** When the last one in line has appended, for each partition whose log is being warmed. Never rejects. */
const lines = new WeakMap<Partition, Promise<void>>();

/** Calls `append` now, or when the log is warm and all who came before have appended. */
export function appendInTurn<T>(partition: Partition, append: () => T): T | Promise<T> {
  const before = lines.get(partition);
  // Where nobody leads nothing is appended: that needs no log.
  if (before === undefined && (partition.log.isWarm || partition.leader === undefined)) return append();
  const turn = takeTurn(partition, before, append);
  const over = (): void => {
    if (lines.get(partition) === line) lines.delete(partition);
  };
  const line = turn.then(over, over);
  lines.set(partition, line);
  return turn;
}

async function takeTurn<T>(partition: Partition, before: Promise<void> | undefined, append: () => T): Promise<T> {
  await before;
  // Looked at just before the append: a log that nobody appends to at once may be cold again.
  while (partition.leader !== undefined && !partition.log.isWarm) await warm(partition);
  return append();
}

/** If it cannot be, the partition is offline, and the append will be told so. */
async function warm(partition: Partition): Promise<void> {
  try {
    await partition.log.warm();
  } catch (error) {
    partition.fail(error);
  }
}
