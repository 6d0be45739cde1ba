// S-R4: two logs that have a batch with the same end offset and epoch are equal up to it. A chain hash covers the whole
// prefix, so one comparison for each append is the whole property.
import type { RaftChecker } from '../checker.ts';
import { batchKey } from '../ghost.ts';
import { endOffsetOf, lastEpochOf } from '../log-entry.ts';
import { check } from '../violation.ts';

export const logMatching: RaftChecker = {
  appended(ghost, node, entries) {
    let end = endOffsetOf(node.disk.written);
    let epoch = lastEpochOf(node.disk.written);
    for (const entry of entries) {
      const { batch } = entry;
      const fits = batch.baseOffset === end && batch.records.length > 0 && batch.epoch >= epoch;
      check(
        'S-R4',
        fits,
        () => `node ${node.id} writes (${batch.baseOffset}, epoch ${batch.epoch}) after (${end}, ${epoch})`,
      );
      const known = ghost.batches.get(batchKey(entry));
      check(
        'S-R4',
        known === undefined || known.chain === entry.chain,
        () => `node ${node.id} writes another batch or prefix at (${entry.endOffset}, epoch ${entry.epoch})`,
      );
      end = entry.endOffset;
      epoch = entry.epoch;
    }
  },
};
