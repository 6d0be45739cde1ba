// The batches of one replica's log as they lie on its simulated disk, followed as files grow and are cut: what was added costs what it
// is, nothing is read twice. Shares the record format with the product, and nothing else.
import type { Epoch, Offset } from '../../base/ids.ts';
import { isEqual } from '../../check/partition-truth.ts';
import { parseLogFileName } from '../../log/file-names.ts';
import { splitBatches } from '../../record/scan.ts';
import { FileNode } from '../disk/file-node.ts';
import type { SimDisk } from '../disk/sim-disk.ts';
import { DirectoryNode } from '../disk/tree.ts';

export interface ViewedBatch {
  readonly baseOffset: Offset;
  readonly nextOffset: Offset;
  readonly leaderEpoch: Epoch;
  readonly crc: number;
  /** Where it ends, and in which file. */
  readonly file: FileNode;
  readonly end: number;
}

interface Segment {
  readonly name: string;
  readonly file: FileNode;
  /** Index of its first batch. */
  readonly first: number;
  /** Bytes that were read. */
  readTo: number;
  /** They are not what is there any more. */
  isStale: boolean;
}

const NONE: readonly ViewedBatch[] = [];

export class LogView {
  /** In offset order, without holes. */
  readonly batches: ViewedBatch[] = [];
  readonly #disk: SimDisk;
  readonly #path: string;
  #folder: DirectoryNode | undefined;
  #segments: Segment[] = [];

  /** Follows the folder that has this path now, or is the first to have it, even if it is renamed. */
  constructor(disk: SimDisk, path: string) {
    this.#disk = disk;
    this.#path = path;
    this.follow();
  }

  get endOffset(): Offset {
    return this.batches.at(-1)?.nextOffset ?? 0;
  }

  /** Takes in what was added, and what was cut. Returns the batches that are not there any more. */
  follow(): readonly ViewedBatch[] {
    const last = this.#segments.at(-1);
    // Whatever is cut from a log, its last file shows it.
    const isCut = last !== undefined && this.#isChanged(last);
    return isCut ? this.refresh() : this.#grow();
  }

  #isChanged(segment: Segment): boolean {
    const { name, file, readTo } = segment;
    segment.isStale ||= this.#folder?.entries.get(name) !== file || file.takeChange() < readTo;
    return segment.isStale;
  }

  #grow(): readonly ViewedBatch[] {
    if (this.#segments.length === 0) this.#find();
    for (let last = this.#segments.at(-1); last !== undefined; ) {
      this.#read(last);
      const name = `${String(this.endOffset).padStart(20, '0')}.log`;
      const file = this.#folder?.entries.get(name);
      if (name === last.name || !(file instanceof FileNode)) break;
      last = { name, file, first: this.batches.length, readTo: 0, isStale: false };
      this.#segments.push(last);
    }
    return NONE;
  }

  /** As `follow`, after anything may have happened to the files. */
  refresh(): readonly ViewedBatch[] {
    const isKnown = this.#segments.map((segment) => !this.#isChanged(segment));
    const changed = isKnown.indexOf(false);
    const first = changed < 0 ? this.batches.length : (this.#segments[changed]?.first ?? 0);
    const before = this.batches.splice(first);
    if (changed >= 0) this.#segments.length = changed;
    this.#grow();
    let same = first;
    while (isEqual(before[same - first], this.batches[same])) same++;
    return before.slice(same - first);
  }

  #find(): void {
    const folder = this.#folder ?? this.#disk.tree.find(this.#path);
    if (!(folder instanceof DirectoryNode)) return;
    this.#folder = folder;
    const names = [...folder.entries.keys()].filter((name) => parseLogFileName(name)?.kind === 'log');
    const first = names.toSorted()[0];
    const file = first === undefined ? undefined : folder.entries.get(first);
    if (first === undefined || !(file instanceof FileNode)) return;
    file.takeChange();
    this.#segments.push({ name: first, file, first: 0, readTo: 0, isStale: false });
  }

  #read(segment: Segment): void {
    const { file, readTo } = segment;
    const length = file.cached.size - readTo;
    if (length <= 0) return;
    const bytes = Buffer.allocUnsafe(length);
    file.cached.read(bytes, 0, length, readTo);
    for (const batch of splitBatches(bytes)) {
      const { baseOffset, nextOffset, partitionLeaderEpoch, crc, end } = batch;
      // Not of this log: what follows a place that was to be written again.
      if (this.batches.length > 0 && baseOffset !== this.endOffset) return;
      // Torn by a power cut: nobody has it.
      if (batch.computeCrc() !== crc) return;
      segment.readTo = readTo + end;
      this.batches.push({ baseOffset, nextOffset, leaderEpoch: partitionLeaderEpoch, crc, file, end: readTo + end });
    }
  }
}

/** Whether a power cut would leave it. */
export function isDurable({ file, end }: ViewedBatch): boolean {
  return file.durable.size >= end;
}
