// When a simulated state machine takes snapshots, and what the core hears of files that are written or fetched.
import type { Voter } from '../../raft/types.ts';
import { fileOf } from './disk.ts';
import { stopForDisk } from './disk-events.ts';
import { feed, localNow } from './driver.ts';
import { prefixAt } from './log-entry.ts';
import { addFile, contentOf, HEADER_BYTES, saltOf, writeFile } from './snapshot-files.ts';
import { whyDiskFails } from './sync.ts';
import { noteOccurrence } from './triggers.ts';
import { Violation } from './violation.ts';
import type { SimNode, World } from './world.ts';
import { isFaulty } from './world.ts';

/** The driver's policy: after so many applied records, one at a time. */
export function considerSnapshot(world: World, node: SimNode): void {
  const { everyRecords } = world.scenario.config.snapshots;
  const { disk, appliedEndOffset } = node.view;
  if (everyRecords === 0 || node.snapshots.taking !== undefined) return;
  const newest = disk.writtenCatalogue[disk.writtenCatalogue.length - 1]?.content.endOffset ?? 0;
  if (appliedEndOffset - newest < everyRecords) return;
  const content = prefixAt(disk.written, appliedEndOffset);
  if (content === undefined) throw new Violation('S-R17', `node ${node.view.id} has applied up to ${appliedEndOffset}`);
  const voters = node.raft === undefined ? undefined : world.core.votersAsOf(node.raft, appliedEndOffset);
  const setting = world.nextSetting++;
  node.snapshots.taking = { content, voters: voters ?? [], setting };
  writeFile(world, node, 'taken', setting);
}

/** A file of this process is written and synced, or cannot be. */
export function finishFile(world: World, node: SimNode, what: 'taken' | 'received', setting: number): void {
  const failure = whyDiskFails(world, node);
  if (failure !== undefined) return stopForDisk(world, node, failure);
  if (what === 'taken') finishTaking(world, node, setting);
  else finishReceiving(world, node, setting);
}

function finishTaking(world: World, node: SimNode, setting: number): void {
  const { taking } = node.snapshots;
  if (taking?.setting !== setting) return;
  node.snapshots.taking = undefined;
  const { content, voters } = taking;
  // The same snapshot was fetched meanwhile: its file is in use.
  if (fileOf(node.view.disk.writtenCatalogue, content) !== undefined) {
    world.coverage.snapshotsUnused++;
    return;
  }
  const { maxBytes } = world.scenario.config.snapshots;
  const sizeBytes = HEADER_BYTES + 1 + node.draws.snapshots.below(maxBytes);
  const file = addFile(node, { content, voters, sizeBytes }, node.draws.snapshots.below(0x1_0000_0000));
  world.coverage.snapshotsTaken++;
  noteOccurrence(world, node, 'snapshotTaken');
  feed(world, node, { type: 'snapshotTaken', now: localNow(world, node), snapshot: file.snapshot });
}

function finishReceiving(world: World, node: SimNode, setting: number): void {
  const { finishing } = node.snapshots;
  if (finishing?.setting !== setting) return;
  node.snapshots.finishing = undefined;
  const { id, bytes } = finishing;
  const now = localNow(world, node);
  const damaged = isFaulty(world) && node.draws.snapshots.chance(world.scenario.config.snapshots.damagePermille);
  if (damaged) {
    world.coverage.snapshotsRejected++;
    return feed(world, node, { type: 'snapshotRejected', now, id, reason: 'damaged' });
  }
  const content = contentOf(world, node, id, bytes);
  const voters = (content.voters ?? []) as readonly Voter[];
  const file = addFile(node, { content, voters, sizeBytes: bytes.length }, saltOf(bytes));
  noteOccurrence(world, node, 'snapshotReceived');
  feed(world, node, { type: 'snapshotReceived', now, snapshot: file.snapshot });
}
