// S-R6 for voters, S-R12 for observers: every node commits the same batches; only a leader adds to them.
// S-R17: each incarnation gets them once, in order, from the first on.
import type { RaftChecker } from '../checker.ts';
import { batchHash } from '../hash.ts';
import { endOffsetOf } from '../log-entry.ts';
import { check } from '../violation.ts';

export const stateMachineSafety: RaftChecker = {
  committed(ghost, node, highWatermark, batches) {
    const property = node.configuredVoter ? 'S-R6' : 'S-R12';
    let at = node.committedBatches;
    let next = Math.max(node.highWatermark, 0);
    for (const batch of batches) {
      const from = next;
      check('S-R17', batch.baseOffset === from, () => `node ${node.id} hands out ${batch.baseOffset}, due is ${from}`);
      next = batch.baseOffset + batch.records.length;
      const entry = ghost.committed[at];
      if (entry === undefined) {
        const own = node.disk.written[at];
        check(property, node.role === 'leader', () => `node ${node.id} commits ${from} before any leader did`);
        check(property, own?.batch === batch, () => `leader ${node.id} commits at ${from} what its log does not hold`);
      } else {
        const same = entry.batch === batch || batchHash(entry.batch) === batchHash(batch);
        check(
          property,
          same,
          () => `node ${node.id} commits another batch at ${from} (epoch ${batch.epoch}) than before`,
        );
      }
      at++;
    }
    check(
      'S-R17',
      next === highWatermark,
      () => `node ${node.id} hands out up to ${next} for high watermark ${highWatermark}`,
    );
  },
};

/** S-R7: the high watermark only rises within an incarnation, and stays within the log. */
export const highWatermarkBounds: RaftChecker = {
  committed(_ghost, node, highWatermark) {
    const end = endOffsetOf(node.disk.written);
    check(
      'S-R7',
      highWatermark > node.highWatermark,
      () => `node ${node.id}: from ${node.highWatermark} to ${highWatermark}`,
    );
    check('S-R7', highWatermark <= end, () => `node ${node.id}: high watermark ${highWatermark}, log end ${end}`);
  },
  truncated(_ghost, node, endOffset) {
    check(
      'S-R7',
      endOffset >= node.highWatermark,
      () => `node ${node.id} cuts to ${endOffset} below ${node.highWatermark}`,
    );
  },
};
