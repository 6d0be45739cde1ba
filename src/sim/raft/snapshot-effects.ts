// What a core asks of its process about snapshots: the catalogue, serving and receiving pieces, loading.
import type { RaftEffect, Snapshot } from '../../raft/types.ts';
import { fileOf, sameSnapshot } from './disk.ts';
import { endOffsetOf } from './log-entry.ts';
import { observeCatalogue, observeLoad } from './observe.ts';
import { bytesOf, slowness, writeFile } from './snapshot-files.ts';
import { startSync } from './sync.ts';
import { noteOccurrence } from './triggers.ts';
import { check, Violation } from './violation.ts';
import type { SimNode, World } from './world.ts';

type EffectOf<T extends RaftEffect['type']> = Extract<RaftEffect, { type: T }>;

export function catalogue(world: World, node: SimNode, effect: EffectOf<'catalogue'>): void {
  const { disk, id } = node.view;
  const files = effect.snapshots.map((snapshot) => {
    const file = fileOf(disk.files, snapshot.id);
    if (file !== undefined) return file;
    throw new Violation('S-R13', `node ${id} lists a snapshot up to ${snapshot.id.endOffset} that it does not have`);
  });
  if (effect.clearLog) {
    world.coverage.snapshotInstalls++;
    if (endOffsetOf(disk.written) > 0) world.coverage.snapshotInstallsOverLog++;
    noteOccurrence(world, node, 'snapshotInstalled');
  } else {
    world.coverage.trims++;
  }
  observeCatalogue(world.observer, node.view, effect.op, files, effect.clearLog);
  startSync(world, node);
}

export function loadSnapshot(world: World, node: SimNode, { snapshot }: EffectOf<'loadSnapshot'>): void {
  const file = fileOf(node.view.disk.files, snapshot.id);
  if (file === undefined) throw new Violation('S-R13', `node ${node.view.id} loads a snapshot that it does not have`);
  observeLoad(world.observer, node.view, file);
  node.snapshots.loadedAt = world.now + slowness(world, node);
  if (node.view.disk.syncedCatalogue.includes(file)) world.coverage.startsFromSnapshot++;
}

/** The bytes that answer a FetchSnapshot, as they are now. */
export function servedBytes(node: SimNode, effect: EffectOf<'serveSnapshot'>): Uint8Array {
  const { snapshotId, position, sizeBytes } = effect.response;
  const file = fileOf(node.view.disk.files, snapshotId);
  const end = file === undefined ? 0 : Math.min(file.snapshot.sizeBytes, position + effect.maxBytes);
  check(
    'S-R13',
    file !== undefined && file.snapshot.sizeBytes === sizeBytes && position >= 0 && position < end,
    () => `node ${node.view.id} serves ${position} .. ${end} of a snapshot up to ${snapshotId.endOffset}`,
  );
  return file === undefined ? new Uint8Array() : bytesOf(file, position, end);
}

export function receivePiece(world: World, node: SimNode, { id, position, bytes }: EffectOf<'receiveSnapshot'>): void {
  const work = node.snapshots;
  if (position === 0) {
    if (work.download !== undefined) world.coverage.snapshotDownloadsRestarted++;
    work.download = { id, pieces: [], length: 0 };
  }
  const { download } = work;
  check(
    'S-R13',
    download !== undefined && sameSnapshot(download.id, id) && download.length === position && bytes.length > 0,
    () => `node ${node.view.id} puts a piece at ${position} of ${id.endOffset}-${id.epoch} behind ${download?.length}`,
  );
  download?.pieces.push(bytes);
  if (download !== undefined) download.length += bytes.length;
  world.coverage.snapshotPieces++;
  noteOccurrence(world, node, 'snapshotPiece');
}

export function finishDownload(world: World, node: SimNode, effect: EffectOf<'finishSnapshot'>): void {
  const work = node.snapshots;
  const { download } = work;
  work.download = undefined;
  check(
    'S-R13',
    download !== undefined && sameSnapshot(download.id, effect.id) && download.length === effect.sizeBytes,
    () => `node ${node.view.id} finishes ${effect.id.endOffset}-${effect.id.epoch} with ${download?.length} bytes`,
  );
  const setting = world.nextSetting++;
  work.finishing = { id: effect.id, bytes: Buffer.concat(download?.pieces ?? []), setting };
  writeFile(world, node, 'received', setting);
}

/** S-X3: an own snapshot that is newer than all others is listed, else the log would grow without end. */
export function settleFiles(world: World, node: SimNode, snapshot: Snapshot, taken: boolean): void {
  const { disk } = node.view;
  const listed = disk.writtenCatalogue;
  const newest = listed[listed.length - 1]?.content.endOffset ?? 0;
  check(
    'S-X3',
    !taken || snapshot.id.endOffset <= newest,
    () =>
      `node ${node.view.id} does not list its snapshot up to ${snapshot.id.endOffset}, the newest is up to ${newest}`,
  );
  if (fileOf(listed, snapshot.id) !== undefined) return;
  world.coverage.snapshotsUnused++;
  disk.files = disk.files.filter((file) => listed.includes(file) || disk.syncedCatalogue.includes(file));
}
