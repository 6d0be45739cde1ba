// The snapshot files of a node of the lab, as its driver would keep them.

import { votersOf } from '../../../src/raft/log.ts';
import { votersAsOf } from '../../../src/raft/state.ts';
import type {
  Batch,
  DurableState,
  QuorumState,
  RaftEffect,
  RaftResponse,
  ReplicaKey,
  Snapshot,
  SnapshotId,
} from '../../../src/raft/types.ts';
import type { Files, LabNode, SnapshotFile } from './lab-node.ts';
import { logOf } from './notation.ts';

type EffectOf<T extends RaftEffect['type']> = Extract<RaftEffect, { type: T }>;

function nameOf({ endOffset, epoch }: SnapshotId): string {
  return `${endOffset}-${epoch}`;
}

function bytesOf(file: SnapshotFile): Buffer {
  return Buffer.from(JSON.stringify(file));
}

/** A disk with that log, trimmed to snapshots that end at `ends`, ascending. */
export function diskOf(
  voters: readonly ReplicaKey[],
  text: string,
  ends: readonly number[],
  quorumState: QuorumState,
): DurableState & Files {
  return trimmed(logOf(voters, text), ends, quorumState);
}

/** The same with batches of one's own. */
export function trimmed(
  batches: readonly Batch[],
  ends: readonly number[],
  quorumState: QuorumState,
): DurableState & Files {
  const files = new Map<string, SnapshotFile>();
  const snapshots = ends.map((endOffset): Snapshot => {
    const below = batches.filter((batch) => batch.baseOffset < endOffset);
    const id = { endOffset, epoch: below.at(-1)?.epoch ?? 0 };
    const set = below.findLast((batch) => votersOf(batch) !== undefined);
    const file = { machine: dataOf(below), voters: set === undefined ? [] : (votersOf(set) ?? []) };
    files.set(nameOf(id), file);
    return { id, voters: file.voters, sizeBytes: bytesOf(file).length };
  });
  return { quorumState, snapshots, batches: batches.filter((batch) => batch.baseOffset >= (ends[0] ?? 0)), files };
}

/** What a state machine makes of these batches. */
export function dataOf(batches: readonly Batch[]): string[] {
  return batches
    .filter(({ control }) => !control)
    .flatMap(({ records }) => records.map((record) => Buffer.from(record).toString()));
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
  disk.batches = clearLog ? [] : disk.batches.filter((batch) => batch.baseOffset >= start);
  for (const { id } of snapshots) if (!files.has(nameOf(id))) throw new Error(`no file of snapshot ${nameOf(id)}`);
  // Only those that were listed: another one may be complete and not in the catalogue yet.
  const listed = new Set(snapshots.map(({ id }) => nameOf(id)));
  for (const { id } of disk.snapshots) if (!listed.has(nameOf(id))) files.delete(nameOf(id));
  disk.snapshots = [...snapshots];
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
