// Partition logs read off a simulated disk, past every product code but the record format: what checkers believe.
import type { Offset } from '../../base/ids.ts';
import type { LogRecord } from '../../check/history.ts';
import { parseLogFileName } from '../../log/file-names.ts';
import { parseFolderName } from '../../log/partition-folder.ts';
import type { BatchHeader } from '../../record/batch.ts';
import { addToSequence } from '../../record/batch.ts';
import { decodeRecords } from '../../record/record.ts';
import { splitBatches } from '../../record/scan.ts';
import { FileNode } from '../disk/file-node.ts';
import type { SimDisk } from '../disk/sim-disk.ts';
import { DirectoryNode } from '../disk/tree.ts';

type DiskNode = FileNode | DirectoryNode;

export interface DiskLog {
  readonly topic: string;
  readonly partition: number;
  /** In offset order, from the first segment to the first place that holds no whole batch. */
  readonly batches: readonly BatchHeader[];
}

/** `cached`: as reads see it. `durable`: as a power cut now would leave it at least. */
type View = 'cached' | 'durable';

/** The logs of every partition folder in the log directory `path`. */
export function diskLogs(disk: SimDisk, path: string, view: View): DiskLog[] {
  let directory: DiskNode | undefined = disk.tree.root;
  for (const name of path.split('/').filter((part) => part !== '')) {
    directory = directory instanceof DirectoryNode ? entriesOf(directory, view).get(name) : undefined;
  }
  if (!(directory instanceof DirectoryNode)) return [];
  const logs: DiskLog[] = [];
  for (const [name, node] of entriesOf(directory, view)) {
    const place = parseFolderName(name);
    if (place !== undefined && node instanceof DirectoryNode) logs.push({ ...place, batches: batchesIn(node, view) });
  }
  return logs;
}

/** The records of a log, as checkers tell them. */
export function logRecords(log: DiskLog): LogRecord[] {
  return log.batches.flatMap((batch) =>
    decodeRecords(batch).map(({ offset, key, value }) => ({
      offset,
      leaderEpoch: batch.partitionLeaderEpoch,
      text: recordText(key, value),
      producerId: batch.producerId,
      producerEpoch: batch.producerEpoch,
      sequence: batch.baseSequence < 0 ? -1 : addToSequence(batch.baseSequence, offset - batch.baseOffset),
    })),
  );
}

/** A record's text: key and value. */
export function recordText(key: Buffer | null, value: Buffer | null): string {
  return `${key?.toString('latin1') ?? ''}=${value?.toString('latin1') ?? ''}`;
}

export function endOffsetOf(log: DiskLog | undefined): Offset {
  return log?.batches.at(-1)?.nextOffset ?? 0;
}

function entriesOf(directory: DirectoryNode, view: View): ReadonlyMap<string, DiskNode> {
  return view === 'cached' ? directory.entries : directory.durable;
}

function batchesIn(folder: DirectoryNode, view: View): BatchHeader[] {
  let segments: { readonly offset: Offset; readonly file: FileNode }[] = [];
  for (const [name, node] of entriesOf(folder, view)) {
    const parsed = parseLogFileName(name);
    if (parsed?.kind === 'log' && node instanceof FileNode) segments.push({ offset: parsed.offset, file: node });
  }
  // A compacted segment that waits for its name stands for those that it covers, whether they are still there or not.
  for (const [name, node] of entriesOf(folder, view)) {
    const base = /^(\d{20})\.log\.swap$/.exec(name)?.[1];
    if (base === undefined || !(node instanceof FileNode)) continue;
    const offset = Number(base);
    const end = [...splitBatches(node[view].toBuffer())].at(-1)?.nextOffset ?? offset;
    segments = segments.filter((segment) => segment.offset < offset || segment.offset >= end);
    segments.push({ offset, file: node });
  }
  segments.sort((a, b) => a.offset - b.offset);
  const batches: BatchHeader[] = [];
  for (const { offset, file } of segments) {
    // A hole: what follows it is not part of the log.
    if (offset !== (batches.at(-1)?.nextOffset ?? offset)) break;
    for (const batch of splitBatches(file[view].toBuffer())) {
      if (batch.computeCrc() !== batch.crc) return batches;
      batches.push(batch);
    }
  }
  return batches;
}
