// S-R6 for voters, S-R12 for observers: every node commits the same batches; only a leader adds to them.
// S-R17: each incarnation gets them once, in order, from the first on or from where a snapshot ends.
import type { RaftChecker } from '../checker.ts';
import { isVoter } from '../ghost.ts';
import { batchHash } from '../hash.ts';
import { endOffsetOf } from '../log-entry.ts';
import { check } from '../violation.ts';

export const stateMachineSafety: RaftChecker = {
  committed(ghost, node, highWatermark, batches) {
    const property = isVoter(node) ? 'S-R6' : 'S-R12';
    const { start, entries } = node.disk.written;
    let at = node.committed.ordinal;
    let next = node.committed.endOffset;
    for (const batch of batches) {
      const from = next;
      check('S-R17', batch.baseOffset === from, () => `node ${node.id} hands out ${batch.baseOffset}, due is ${from}`);
      next = batch.baseOffset + batch.records.length;
      const entry = ghost.committed[at];
      if (entry === undefined) {
        const own = entries[at - start.ordinal];
        check(property, node.role === 'leader', () => `node ${node.id} commits ${from} before any leader did`);
        const held = own !== undefined && (own.batch === batch || batchHash(own.batch) === batchHash(batch));
        check(property, held, () => `leader ${node.id} commits at ${from} what its log does not hold`);
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

  loaded(_ghost, node, { content }) {
    check(
      'S-R17',
      content.ordinal > node.committed.ordinal,
      () => `node ${node.id} goes from ${node.committed.endOffset} back to a snapshot up to ${content.endOffset}`,
    );
  },
};

/** S-R7: the high watermark only rises within an incarnation, and stays within the log, which begins below it. */
export const highWatermarkBounds: RaftChecker = {
  committed(_ghost, node, highWatermark) {
    const end = endOffsetOf(node.disk.written);
    check(
      'S-R7',
      highWatermark > node.highWatermark,
      () => `node ${node.id}: from ${node.highWatermark} to ${highWatermark}`,
    );
    const { endOffset: start } = node.disk.written.start;
    check('S-R7', highWatermark >= start, () => `node ${node.id}: high watermark ${highWatermark}, log start ${start}`);
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
