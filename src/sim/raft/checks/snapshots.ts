// S-R13: a snapshot holds exactly what was committed below its end, ends within what its node knew committed, is
// durable before the catalogue names it (M-5c), and nothing but a snapshot is where a log begins. A leader never
// loads one, and nobody one below its own high watermark. S-R7, S-R14 as far as snapshots matter to them.
import type { RaftChecker } from '../checker.ts';
import type { SnapshotFile } from '../disk.ts';
import { fileOf, stateEpoch } from '../disk.ts';
import type { Ghost, NodeView } from '../ghost.ts';
import { namesOf } from '../ghost.ts';
import type { LogPrefix } from '../log-entry.ts';
import { prefixAt } from '../log-entry.ts';
import { check } from '../violation.ts';
import { sameVoters } from '../voter-sets.ts';

export const snapshots: RaftChecker = {
  catalogued(ghost, node, files, clearLog) {
    const first = files[0]?.content;
    check('S-R13', first !== undefined, () => `node ${node.id} empties its catalogue`);
    if (first === undefined) return;
    let before = -1;
    for (const file of files) {
      const { id } = file.snapshot;
      check('S-R13', id.endOffset > before, () => `node ${node.id} lists ${nameOf(file)} after one up to ${before}`);
      before = id.endOffset;
      check(
        'S-R13',
        node.disk.files.includes(file),
        () => `node ${node.id} lists ${nameOf(file)}, which is not durable`,
      );
      if (!node.disk.writtenCatalogue.includes(file)) checkContent(ghost, node, file);
      check(
        'S-R13',
        clearLog || id.endOffset <= node.highWatermark,
        () => `node ${node.id} lists ${nameOf(file)}, its high watermark is ${node.highWatermark}`,
      );
    }
    checkLogStart(node, first, clearLog);
  },

  loaded(ghost, node, file) {
    const { endOffset } = file.content;
    check('S-R13', node.role !== 'leader', () => `leader ${node.id} of ${node.epoch} loads ${nameOf(file)}`);
    check(
      'S-R13',
      endOffset >= node.highWatermark,
      () => `node ${node.id} loads ${nameOf(file)}, its high watermark is ${node.highWatermark}`,
    );
    const listed = node.disk.writtenCatalogue;
    const newest = listed[listed.length - 1];
    check('S-R13', newest === file, () => `node ${node.id} loads ${nameOf(file)}, not the newest that it lists`);
    checkContent(ghost, node, file);
  },

  emitted(_ghost, node, message) {
    if (message.type !== 'fetch' || !('batches' in message) || message.snapshotId === undefined) return;
    const { snapshotId } = message;
    check(
      'S-R13',
      fileOf(node.disk.files, snapshotId) !== undefined,
      () => `node ${node.id} offers snapshot ${snapshotId.endOffset}-${snapshotId.epoch}, which it has not`,
    );
  },
};

/** Content, end, epoch and voters are those of the committed log. */
function checkContent(ghost: Ghost, node: NodeView, { snapshot, content }: SnapshotFile): void {
  const { id, voters } = snapshot;
  const name = `${id.endOffset}-${id.epoch}`;
  const committed = ghost.committed[content.ordinal - 1];
  check(
    'S-R13',
    committed?.chain === content.chain,
    () => `snapshot ${name} of node ${node.id} holds another state than the committed one`,
  );
  const same = id.endOffset === content.endOffset && id.epoch === content.epoch;
  check('S-R13', same, () => `snapshot ${name} of node ${node.id} holds ${content.endOffset}-${content.epoch}`);
  check(
    'S-R13',
    sameVoters(voters, content.voters),
    () => `snapshot ${name} of node ${node.id} names ${namesOf(voters)}, in force ${namesOf(content.voters ?? [])}`,
  );
}

function checkLogStart(node: NodeView, start: LogPrefix, clearLog: boolean): void {
  const { written } = node.disk;
  const from = written.start.endOffset;
  check(
    'S-R13',
    start.endOffset >= from,
    () => `node ${node.id} moves its log start from ${from} to ${start.endOffset}`,
  );
  const cut = prefixAt(written, start.endOffset);
  check(
    'S-R13',
    clearLog || cut?.chain === start.chain,
    () => `node ${node.id} begins its log at ${start.endOffset}, no batch boundary of it`,
  );
  check('S-R13', !clearLog || node.role !== 'leader', () => `leader ${node.id} of ${node.epoch} clears its log`);
  check(
    'S-R7',
    start.endOffset <= node.highWatermark || clearLog,
    () => `node ${node.id} begins its log at ${start.endOffset}, its high watermark is ${node.highWatermark}`,
  );
  const durable = stateEpoch(node.disk.writtenState);
  check(
    'S-R14',
    start.epoch <= durable,
    () => `node ${node.id} begins its log in epoch ${start.epoch}, its quorum state says ${durable}`,
  );
}

function nameOf({ snapshot: { id } }: SnapshotFile): string {
  return `snapshot ${id.endOffset}-${id.epoch}`;
}
