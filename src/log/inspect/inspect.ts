// Looks into files of a log directory without changing them, Kafka's or ours: what they hold, entry by entry, and what is
// wrong with it (`kvorum log dump`). Streams; only small files are read as a whole.

import type { Disk, DiskFile } from '../../env/disk.ts';
import { isEnvError } from '../../env/error.ts';
import { parseFolderName } from '../partition-folder.ts';
import { readProducerSnapshot } from '../producer-snapshot.ts';
import type { KnownFile } from './file-kind.ts';
import { fileKind, segmentOf } from './file-kind.ts';
import type { Content, Finding } from './finding.ts';
import { problemAt } from './finding.ts';
import { inspectOffsetIndex, inspectTimeIndex, inspectTransactionIndex } from './index-files.ts';
import type { SegmentChain, SegmentOptions } from './segment.ts';
import { inspectSegment, newChain } from './segment.ts';
import { inspectEpochs, inspectMetaProperties, inspectOffsets, inspectPartitionMetadata } from './text-files.ts';
import { FileWindow } from './window.ts';

/** Of a file that is read as a whole: far more than Kafka or Kvorum ever write into one. */
const MAX_SMALL_BYTES = 64 * 1024 * 1024;

export type InspectOptions = SegmentOptions;

/** The files that can be looked into: that one, or those of a partition's folder or a log directory, in order. */
export async function inspectable(disk: Disk, path: string): Promise<string[]> {
  const name = nameOf(path);
  if (fileKind(name) !== undefined) return [path];
  return foldersFiles(disk, path.replace(/(?<=.)\/+$/, ''));
}

async function foldersFiles(disk: Disk, folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const { name, isDirectory } of await disk.list(folder)) {
    const path = `${folder}/${name}`;
    if (!isDirectory && fileKind(name) !== undefined) found.push(path);
    if (isDirectory && parseFolderName(name) !== undefined) found.push(...(await foldersFiles(disk, path)));
  }
  return found;
}

/** Everything in these files, and what is wrong. EnvError if one cannot be read. */
export async function* inspect(
  disk: Disk,
  paths: readonly string[],
  options: InspectOptions,
): AsyncGenerator<Finding, void, undefined> {
  let [folder, previous, chain] = ['', '', newChain()];
  for (const path of paths) {
    const known = fileKind(nameOf(path));
    if (known === undefined) continue;
    // Segments of one folder continue each other; those that are being made or removed stand alone.
    // Whoever names segments in another order than theirs learns nothing of how they follow each other.
    if (folderOf(path) !== folder || path < previous) [folder, chain] = [folderOf(path), newChain()];
    previous = path;
    yield* inspectFile(disk, path, known, options, known.suffix === '' ? chain : newChain());
  }
}

async function* inspectFile(
  disk: Disk,
  path: string,
  known: KnownFile,
  options: InspectOptions,
  chain: SegmentChain,
): AsyncGenerator<Finding, void, undefined> {
  const file = await disk.open(path, 'read');
  try {
    const window = new FileWindow(file, await file.size());
    yield { type: 'file', path, kind: known.kind, sizeInBytes: window.size };
    let [count, problems] = [0, 0];
    for await (const content of contentsOf(disk, path, known, window, { options, chain })) {
      if (content.type === 'problem') {
        problems += 1;
        yield { ...content, path };
        continue;
      }
      if (content.type !== 'note' && content.type !== 'record') count += 1;
      yield content;
    }
    yield { type: 'summary', path, count, problems };
  } finally {
    await file.close();
  }
}

async function* contentsOf(
  disk: Disk,
  path: string,
  { kind, offset, suffix }: KnownFile,
  window: FileWindow,
  segment: { readonly options: InspectOptions; readonly chain: SegmentChain },
): AsyncGenerator<Content, void, undefined> {
  const base = offset ?? 0;
  switch (kind) {
    case 'segment':
      return yield* inspectSegment(window, base, segment.options, segment.chain);
    case 'offsetIndex':
    case 'timeIndex':
      return yield* inspectIndex(disk, folderOf(path) + segmentOf(base, suffix), base, kind, window);
    case 'transactionIndex':
      return yield* inspectTransactionIndex(window);
    default:
  }
  const bytes = await wholeFile(window);
  if (bytes === undefined) return yield problemAt(0, `${window.size} bytes: larger than any file of its kind`);
  if (kind === 'producerSnapshot') return yield* inspectSnapshot(bytes, base);
  const text = bytes.toString('utf8');
  if (kind === 'leaderEpochs') yield* inspectEpochs(text);
  else if (kind === 'offsetCheckpoint') yield* inspectOffsets(text);
  else if (kind === 'partitionMetadata') yield* inspectPartitionMetadata(text);
  else yield* inspectMetaProperties(text);
}

async function* inspectIndex(
  disk: Disk,
  segmentPath: string,
  base: number,
  kind: 'offsetIndex' | 'timeIndex',
  index: FileWindow,
): AsyncGenerator<Content, void, undefined> {
  const inspectKind = kind === 'offsetIndex' ? inspectOffsetIndex : inspectTimeIndex;
  const file = await openIfThere(disk, segmentPath);
  if (file === undefined) {
    yield { type: 'note', text: `${segmentPath} is not there: entries are not compared with it` };
    return yield* inspectKind(index, base, undefined);
  }
  try {
    yield* inspectKind(index, base, new FileWindow(file, await file.size()));
  } finally {
    await file.close();
  }
}

function* inspectSnapshot(bytes: Buffer, base: number): Generator<Content, void, undefined> {
  const snapshot = readProducerSnapshot(bytes);
  if (typeof snapshot === 'string') return yield problemAt(0, snapshot);
  for (const producer of snapshot.producers) yield { type: 'producer', ...producer };
  if (snapshot.offset !== undefined && snapshot.offset !== base) {
    yield problemAt(0, `it is of offset ${snapshot.offset}, not of the one in its name`);
  }
}

async function openIfThere(disk: Disk, path: string): Promise<DiskFile | undefined> {
  try {
    return await disk.open(path, 'read');
  } catch (error) {
    if (isEnvError(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}

async function wholeFile(window: FileWindow): Promise<Buffer | undefined> {
  return window.size > MAX_SMALL_BYTES ? undefined : window.view(0, window.size);
}

/** With the slash at its end; empty for a bare name. */
function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1);
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
