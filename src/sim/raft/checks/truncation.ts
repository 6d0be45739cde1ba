// S-R10: no replica cuts below the largest high watermark it ever had, across restarts, nor replaces its log by a snapshot
// that ends below it; and it cuts between batches.
import type { Offset } from '../../../base/ids.ts';
import type { Uuid } from '../../../base/uuid.ts';
import type { RaftChecker } from '../checker.ts';
import type { NodeView } from '../ghost.ts';
import { endOffsetOf, prefixAt } from '../log-entry.ts';
import { check } from '../violation.ts';

export function truncationAboveHighWatermark(): RaftChecker {
  const highest = new Map<Uuid, Offset>();
  function note(node: NodeView, highWatermark: Offset): void {
    const { directoryId } = node.disk.replica;
    highest.set(directoryId, Math.max(highest.get(directoryId) ?? 0, highWatermark));
  }
  return {
    committed: (_ghost, node, highWatermark) => note(node, highWatermark),
    loaded: (_ghost, node, file) => note(node, file.content.endOffset),
    catalogued(_ghost, node, files, clearLog) {
      const limit = highest.get(node.disk.replica.directoryId) ?? 0;
      const end = files[files.length - 1]?.content.endOffset ?? 0;
      check(
        'S-R10',
        !clearLog || end >= limit,
        () => `node ${node.id} replaces its log by a snapshot up to ${end}, its high watermark has been ${limit}`,
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
