// S-R10: no replica cuts below the largest high watermark it ever had, across restarts; and it cuts between batches. Nor does it
// replace by a snapshot what it holds of the committed log: that may be less than it had, for a leader that commits what its
// followers hold may lose its own unsynced tail.
import type { Offset } from '../../../base/ids.ts';
import type { Uuid } from '../../../base/uuid.ts';
import type { RaftChecker } from '../checker.ts';
import type { Ghost, NodeView } from '../ghost.ts';
import type { SimLog } from '../log-entry.ts';
import { endOffsetOf, isEntry, prefixAt, wholeOf } from '../log-entry.ts';
import { check } from '../violation.ts';

/** How far that log is the committed one. */
function committedEndOf({ committed }: Ghost, log: SimLog): Offset {
  let at = wholeOf(log);
  while (isEntry(at) && committed[at.ordinal - 1]?.chain !== at.chain) at = at.previous;
  return at.endOffset;
}

export function truncationAboveHighWatermark(): RaftChecker {
  const highest = new Map<Uuid, Offset>();
  function note(node: NodeView, highWatermark: Offset): void {
    const { directoryId } = node.disk.replica;
    highest.set(directoryId, Math.max(highest.get(directoryId) ?? 0, highWatermark));
  }
  return {
    committed: (_ghost, node, highWatermark) => note(node, highWatermark),
    loaded: (_ghost, node, file) => note(node, file.content.endOffset),
    catalogued(ghost, node, files, clearLog) {
      if (!clearLog) return;
      const end = files[files.length - 1]?.content.endOffset ?? 0;
      const held = committedEndOf(ghost, node.disk.written);
      check(
        'S-R10',
        end >= held,
        () =>
          `node ${node.id} replaces its log by a snapshot up to ${end}, its log had what is committed up to ${held}`,
      );
    },
    truncated(_ghost, node, endOffset) {
      const limit = highest.get(node.disk.replica.directoryId) ?? 0;
      check(
        'S-R10',
        endOffset >= limit,
        () => `node ${node.id} cuts to ${endOffset}, its high watermark has been ${limit}`,
      );
      const log = node.disk.written;
      const boundary = prefixAt(log, endOffset) !== undefined;
      check(
        'S-X2',
        boundary && endOffset < endOffsetOf(log),
        () => `node ${node.id} cuts to ${endOffset}, no batch boundary`,
      );
    },
  };
}
