// The modelled disk of a replica as a recording begins: from what its core was given at start.
import type { DurableState, ReplicaKey, SnapshotId } from '../../raft/types.ts';
import type { SimDisk, SnapshotFile } from '../raft/disk.ts';
import { newDisk, syncOldest } from '../raft/disk.ts';
import type { Ghost } from '../raft/ghost.ts';
import { batchKey } from '../raft/ghost.ts';
import { FNV_START, foldNumber } from '../raft/hash.ts';
import type { LogEntry, LogPrefix } from '../raft/log-entry.ts';
import { entryAfter, NOTHING, prefixAt, wholeOf } from '../raft/log-entry.ts';

/** What the recordings do not tell enough of: they cannot be judged together. */
export class Untold extends Error {
  override name = 'Untold';
}

/** The prefix that ends there, as far as any log has shown it. */
export function knownPrefix(ghost: Ghost, { endOffset, epoch }: SnapshotId): LogPrefix | undefined {
  return ghost.batches.get(epoch * 0x1_0000_0000 + endOffset);
}

/** What lies before the oldest log of all recordings: nobody can say what it was, and everybody has it. */
export function beginHistory(ghost: Ghost, { endOffset, epoch }: SnapshotId, durable: DurableState): void {
  const voters = durable.snapshots[0]?.voters;
  const chain = foldNumber(foldNumber(FNV_START, endOffset), epoch);
  const batch = { baseOffset: 0, epoch, control: true, records: [] };
  const entry: LogEntry = { batch, previous: NOTHING, endOffset, epoch, chain, ordinal: 1, voters, voterRecords: 1 };
  ghost.batches.set(batchKey(entry), entry);
  ghost.committed.push(entry);
  ghost.commitEpochs.push(epoch);
}

/** Everything in it is durable, and known to the ghost from now on. Untold if its log begins where no other log reaches. */
export function recordedDisk(ghost: Ghost, replica: ReplicaKey, durable: DurableState): SimDisk {
  const disk = newDisk(replica);
  const first = durable.snapshots[0]?.id;
  const start = first === undefined ? NOTHING : knownPrefix(ghost, first);
  if (start === undefined) {
    throw new Untold(
      `the log of node ${replica.id} begins at ${first?.endOffset}, where no other recorded log reaches`,
    );
  }
  const entries: LogEntry[] = [];
  let previous = start;
  for (const batch of durable.batches) {
    const made = entryAfter(previous, batch, ghost.votersOf);
    const known = ghost.batches.get(batchKey(made));
    // Another batch there is for the checker of appends to find; it sees the log from here on.
    const entry = known?.chain === made.chain ? known : made;
    if (known === undefined) ghost.batches.set(batchKey(entry), entry);
    if (known === undefined && entry.voterRecords > previous.voterRecords) ghost.voterRecords.push(entry);
    entries.push(entry);
    previous = entry;
  }
  disk.written = { start, entries };
  disk.synced = { start, entries: entries.slice() };
  disk.writtenState = durable.quorumState;
  disk.syncedState = durable.quorumState;
  const files = durable.snapshots.flatMap((snapshot): SnapshotFile[] => {
    const content = prefixAt(disk.written, snapshot.id.endOffset);
    return content === undefined ? [] : [{ snapshot, content, salt: 0 }];
  });
  disk.files = files;
  disk.writtenCatalogue = files;
  disk.syncedCatalogue = files;
  return disk;
}

/** How many operations that were under way at a crash have reached the disk, by what was found there; undefined if none fits. */
export function survivorsOf(disk: SimDisk, durable: DurableState): number | undefined {
  const probe: SimDisk = {
    ...disk,
    synced: { start: disk.synced.start, entries: [...disk.synced.entries] },
    pending: [...disk.pending],
  };
  for (let count = 0; count <= disk.pending.length; count++) {
    if (count > 0) syncOldest(probe);
    if (holds(probe, durable)) return count;
  }
  return undefined;
}

function holds({ synced, syncedState, syncedCatalogue }: SimDisk, durable: DurableState): boolean {
  const { quorumState, batches, snapshots } = durable;
  const last = batches.at(-1);
  const whole = wholeOf(synced);
  const endOffset = last === undefined ? (snapshots[0]?.id.endOffset ?? 0) : last.baseOffset + last.records.length;
  return (
    syncedState?.leaderEpoch === quorumState?.leaderEpoch &&
    syncedState?.leaderId === quorumState?.leaderId &&
    syncedState?.votedKey?.directoryId === quorumState?.votedKey?.directoryId &&
    synced.entries.length === batches.length &&
    whole.endOffset === endOffset &&
    (last === undefined || whole.epoch === last.epoch) &&
    syncedCatalogue.length === snapshots.length &&
    syncedCatalogue.every((file, i) => file.snapshot.id.endOffset === snapshots[i]?.id.endOffset)
  );
}
