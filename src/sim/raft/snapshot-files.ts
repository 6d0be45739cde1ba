// Files of simulated snapshots: a state machine's image is a prefix of the log, and its bytes tell which prefix and which file
// they are of, so pieces of two files never make an intact one.
import { mix32 } from '../../base/keyed-random.ts';
import type { SnapshotId, Voter } from '../../raft/types.ts';
import type { SnapshotFile } from './disk.ts';
import { fileOf, keepFile, sameSnapshot } from './disk.ts';
import type { LogPrefix } from './log-entry.ts';
import { Violation } from './violation.ts';
import type { SimNode, World } from './world.ts';
import { isFaulty } from './world.ts';

/** End offset and epoch of the prefix, its chain, size of the file, its salt, number of batches. */
export const HEADER_BYTES = 24;

/** A complete file under its name; one that the catalogue lists already stays as it is. */
export function addFile(
  node: SimNode,
  { content, voters, sizeBytes }: { content: LogPrefix; voters: readonly Voter[]; sizeBytes: number },
  salt: number,
): SnapshotFile {
  const { endOffset, epoch } = content;
  const listed = fileOf(node.view.disk.writtenCatalogue, content);
  if (listed !== undefined) return listed;
  const file = { snapshot: { id: { endOffset, epoch }, voters, sizeBytes }, content, salt };
  keepFile(node.view.disk, file);
  return file;
}

/** The bytes of it in [from, to). */
export function bytesOf(file: SnapshotFile, from: number, to: number): Uint8Array {
  const bytes = new Uint8Array(to - from);
  for (let i = from; i < to; i++) bytes[i - from] = byteAt(file, i);
  return bytes;
}

function byteAt({ snapshot, content, salt }: SnapshotFile, at: number): number {
  if (at >= HEADER_BYTES) return mix32(salt + at) & 0xff;
  const words = [content.endOffset, content.epoch, content.chain, snapshot.sizeBytes, salt, content.ordinal];
  return ((words[at >>> 2] as number) >>> (8 * (at & 3))) & 0xff;
}

/** S-R13: the pieces that the core put together are one intact file. */
export function contentOf(world: World, node: SimNode, id: SnapshotId, bytes: Uint8Array): LogPrefix {
  const [endOffset = 0, epoch = 0, chain, sizeBytes, salt = 0] = [0, 1, 2, 3, 4].map((at) => readWord(bytes, at));
  const content = world.observer.ghost.batches.get(epoch * 0x1_0000_0000 + endOffset);
  let intact = content !== undefined && content.chain === chain && sizeBytes === bytes.length;
  for (let i = HEADER_BYTES; i < bytes.length; i++) intact &&= bytes[i] === (mix32(salt + i) & 0xff);
  if (content !== undefined && intact && sameSnapshot(content, id)) return content;
  throw new Violation('S-R13', `node ${node.view.id} put together no intact snapshot up to ${id.endOffset}`);
}

/** What tells this file from another of the same state. */
export function saltOf(bytes: Uint8Array): number {
  return readWord(bytes, 4);
}

function readWord(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(4 * at, true);
}

/** Begins to write a file, or to verify and sync what was fetched: a `snapshotFile` event tells when that is done. */
export function writeFile(world: World, node: SimNode, what: 'taken' | 'received', setting: number): void {
  const { id, incarnation } = node.view;
  const at = Math.max(world.now + slowness(world, node), node.stalledUntil);
  world.queue.push(at, { kind: 'snapshotFile', node: id, incarnation, what, setting });
}

export function slowness(world: World, node: SimNode): number {
  const { delayMs } = world.scenario.config.snapshots;
  return 100 + (isFaulty(world) ? node.draws.snapshots.below(delayMs * 1000 + 1) : 0);
}
