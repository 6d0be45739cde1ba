// The snapshot files of a node of the lab, as its driver would keep them.
import { votersAsOf } from '../../../src/raft/state.ts';
import type { RaftEffect, RaftResponse, Snapshot, SnapshotId } from '../../../src/raft/types.ts';
import type { LabNode, SnapshotFile } from './lab-node.ts';

type EffectOf<T extends RaftEffect['type']> = Extract<RaftEffect, { type: T }>;

function nameOf({ endOffset, epoch }: SnapshotId): string {
  return `${endOffset}-${epoch}`;
}

function bytesOf(file: SnapshotFile): Buffer {
  return Buffer.from(JSON.stringify(file));
}

/** Of all that the state machine has applied; not in the catalogue yet. */
export function takeSnapshot(node: LabNode): Snapshot {
  const endOffset = node.committedEnd;
  const { log } = node.state;
  const last = log.slice(log.startOffset, endOffset).at(-1);
  const id = { endOffset, epoch: last?.epoch ?? node.state.snapshots[0]?.id.epoch ?? 0 };
  const file = { machine: [...node.machine], voters: votersAsOf(node.state, endOffset) ?? [] };
  node.files.set(nameOf(id), file);
  return { id, voters: file.voters, sizeBytes: bytesOf(file).length };
}

/** Durable. */
export function applyCatalogue({ disk, files }: LabNode, { snapshots, clearLog }: EffectOf<'catalogue'>): void {
  const start = snapshots[0]?.id.endOffset ?? 0;
  disk.snapshots = [...snapshots];
  disk.batches = clearLog ? [] : disk.batches.filter((batch) => batch.baseOffset >= start);
  for (const { id } of snapshots) if (!files.has(nameOf(id))) throw new Error(`no file of snapshot ${nameOf(id)}`);
  const listed = new Set(snapshots.map(({ id }) => nameOf(id)));
  for (const name of files.keys()) if (!listed.has(name)) files.delete(name);
}

/** The response with the bytes that it asks the driver to read. */
export function readPiece(node: LabNode, { response, maxBytes }: EffectOf<'serveSnapshot'>): RaftResponse {
  const file = node.files.get(nameOf(response.snapshotId));
  if (file === undefined) throw new Error(`node ${node.key.id} serves a snapshot that it does not have`);
  return { ...response, bytes: bytesOf(file).subarray(response.position, response.position + maxBytes) };
}

export function receivePiece(node: LabNode, { id, position, bytes }: EffectOf<'receiveSnapshot'>): void {
  if (position === 0) node.partial = { id, bytes: Buffer.alloc(0) };
  const { partial } = node;
  if (partial === undefined || nameOf(partial.id) !== nameOf(id) || partial.bytes.length !== position) {
    throw new Error(`a piece of snapshot ${nameOf(id)} at ${position}, out of place`);
  }
  partial.bytes = Buffer.concat([partial.bytes, bytes]);
}

/** What was received is checked and kept, or not: the event says which. */
export function finishSnapshot(node: LabNode, { id, sizeBytes }: EffectOf<'finishSnapshot'>): void {
  const { partial } = node;
  node.partial = undefined;
  if (partial === undefined || nameOf(partial.id) !== nameOf(id) || partial.bytes.length !== sizeBytes) {
    throw new Error(`snapshot ${nameOf(id)} is finished with ${partial?.bytes.length} of ${sizeBytes} bytes`);
  }
  if (node.damaged) {
    node.damaged = false;
    node.owed.push({ type: 'snapshotRejected', now: 0, id, reason: 'damaged' });
    return;
  }
  const file = JSON.parse(partial.bytes.toString()) as SnapshotFile;
  node.files.set(nameOf(id), file);
  node.owed.push({ type: 'snapshotReceived', now: 0, snapshot: { id, voters: file.voters, sizeBytes } });
}

/** The state machine starts over from it. */
export function loadSnapshot(node: LabNode, { id }: Snapshot): void {
  const file = node.files.get(nameOf(id));
  if (file === undefined) throw new Error(`snapshot ${nameOf(id)} is loaded and not there`);
  node.machine = [...file.machine];
  node.committed = [];
  node.committedEnd = id.endOffset;
  node.owed.push({ type: 'applied', now: 0, endOffset: id.endOffset });
}
