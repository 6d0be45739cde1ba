// S-R10: no replica cuts below the largest high watermark it ever had, across restarts; and it cuts between batches.
import type { Offset } from '../../../base/ids.ts';
import type { Uuid } from '../../../base/uuid.ts';
import type { RaftChecker } from '../checker.ts';
import { endOffsetOf, indexEndingAt } from '../log-entry.ts';
import { check } from '../violation.ts';

export function truncationAboveHighWatermark(): RaftChecker {
  const highest = new Map<Uuid, Offset>();
  return {
    committed(_ghost, node, highWatermark) {
      const { directoryId } = node.disk.replica;
      highest.set(directoryId, Math.max(highest.get(directoryId) ?? 0, highWatermark));
    },
    truncated(_ghost, node, endOffset) {
      const limit = highest.get(node.disk.replica.directoryId) ?? 0;
      check(
        'S-R10',
        endOffset >= limit,
        () => `node ${node.id} cuts to ${endOffset}, its high watermark has been ${limit}`,
      );
      const log = node.disk.written;
      const boundary = endOffset === 0 || indexEndingAt(log, endOffset) >= 0;
      check(
        'S-X2',
        boundary && endOffset < endOffsetOf(log),
        () => `node ${node.id} cuts to ${endOffset}, no batch boundary`,
      );
    },
  };
}
