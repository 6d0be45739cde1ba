// One segment of a log: `<base offset>.log` and its two index files. It is loaded, its indexes read, when it is first used;
// its size and greatest timestamp may be known before. Index files are derived data, written when the segment is sealed,
// closed or given back: missing or wrong ones are rebuilt from the log file.
import { assert } from '../base/assert.ts';
import type { Offset } from '../base/ids.ts';
import type { Disk, DiskFile } from '../env/disk.ts';
import { readIfThere } from '../env/disk.ts';
import { EnvError, isEnvError } from '../env/error.ts';
import type { BatchHeader } from '../record/batch.ts';
import { scanBatches, writeFully } from './batch-scan.ts';
import { filePrefix } from './file-names.ts';
import type { FileOwner } from './file-pool.ts';
import { PooledFile } from './file-pool.ts';
import { misfit } from './header-check.ts';
import type { IndexHolder, IndexMemory } from './index-memory.ts';
import { OffsetIndex } from './offset-index.ts';
import { SegmentIndex } from './segment-index.ts';
import type { TimestampOffset } from './time-index.ts';
import { TimeIndex } from './time-index.ts';

/** What the segments of one log have in common. */
export interface SegmentHost extends FileOwner {
  readonly indexes: IndexMemory;
  /** The partition's folder. */
  readonly directory: string;
  /** index.interval.bytes, of indexes made from now on. */
  intervalBytes: number;
  /** The memory of the segment's indexes is wanted back. */
  giveBack: (segment: Segment) => void;
}

/** What a segment is once its indexes are loaded. */
export interface SegmentContent {
  readonly file: DiskFile;
  index: SegmentIndex;
  /** Bytes of whole batches in the file. */
  size: number;
  /** The offset after its last batch when it was loaded; its base offset if it was opened or made without looking. */
  readonly loadedEndOffset: Offset;
}

/** What is known of a segment before anything of it is read. */
export interface SegmentFacts {
  /** Bytes. */
  readonly size: number;
  /** Its greatest timestamp, if that is known; -1 if no batch has one. */
  readonly max?: TimestampOffset | undefined;
}

/** The batch is valid during the call only. */
export type BatchVisitor = (batch: BatchHeader, position: number) => void;

const ANY_OFFSET: Offset = Number.MAX_SAFE_INTEGER;
const ignore = (): BatchVisitor => () => {};

export class Segment implements IndexHolder {
  readonly baseOffset: Offset;
  readonly #host: SegmentHost;
  readonly #prefix: string;
  readonly #file: PooledFile;
  #facts: SegmentFacts | undefined;
  #content: SegmentContent | undefined;
  #loading: Promise<SegmentContent> | undefined;
  /** Counts its cuts. */
  #version = 0;

  private constructor(
    host: SegmentHost,
    baseOffset: Offset,
    fileAt: (path: string) => PooledFile,
    facts?: SegmentFacts,
  ) {
    this.baseOffset = baseOffset;
    this.#host = host;
    this.#prefix = filePrefix(host.directory, baseOffset);
    this.#file = fileAt(this.path);
    this.#facts = facts;
  }

  /** A new, empty one, synchronously. Its directory entry is volatile until the directory is synced (D-9.3). */
  static create(host: SegmentHost, baseOffset: Offset): Segment {
    const segment = new Segment(host, baseOffset, (path) => PooledFile.create(host, path));
    segment.#publish({
      file: segment.#file,
      index: new SegmentIndex(baseOffset, host.intervalBytes),
      size: 0,
      loadedEndOffset: baseOffset,
    });
    return segment;
  }

  /** One that is on disk already, with what is known of it. Opens nothing yet. */
  static existing(host: SegmentHost, baseOffset: Offset, facts?: SegmentFacts): Segment {
    return new Segment(host, baseOffset, (path) => PooledFile.existing(host, path), facts);
  }

  /**
   * One that a compaction wrote, whose files lie under other names still: it is used through `handle` until its file has
   * arrived. All of it is durable, with its index files.
   */
  static compacted(host: SegmentHost, handle: DiskFile, index: SegmentIndex, size: number): Segment {
    const { baseOffset } = index.offsets;
    const segment = new Segment(host, baseOffset, (path) => PooledFile.moving(host, path, handle));
    segment.#publish({ file: segment.#file, index, size, loadedEndOffset: baseOffset });
    return segment;
  }

  get path(): string {
    return `${this.#prefix}.log`;
  }

  /** Opened when it is used, loaded or not. */
  get file(): PooledFile {
    return this.#file;
  }

  get isLoaded(): boolean {
    return this.#content !== undefined;
  }

  /** Of a segment that is loaded. */
  get content(): SegmentContent {
    assert(this.#content !== undefined, () => `${this.path} is not loaded`);
    return this.#content;
  }

  /** Bytes of whole batches, loaded or not. */
  get size(): number {
    const size = this.#content?.size ?? this.#facts?.size;
    assert(size !== undefined, () => `the size of ${this.path} is not known`);
    return size;
  }

  /** Its greatest timestamp and the offset of a batch that has it, -1 if none has one; undefined if that is not known. */
  get max(): TimestampOffset | undefined {
    return this.#content?.index.max ?? this.#facts?.max;
  }

  get indexBytes(): number {
    return this.#content?.index.sizeInBytes ?? 0;
  }

  giveBackIndexes(): void {
    if (!this.#file.isMoving) this.#host.giveBack(this);
  }

  /** Learns the size of one that is not loaded. */
  async measure(): Promise<void> {
    if (this.#content !== undefined || this.#facts !== undefined) return;
    const file = await this.#host.disk.open(this.path, 'read');
    try {
      this.#facts = { size: await file.size() };
    } finally {
      await file.close();
    }
  }

  /**
   * Loads the segment, whose batches end at `endOffset` (if that is known), with its index files if they make sense, else with
   * indexes rebuilt from the batches. EnvError CORRUPT if the file is not as long as it is known to be, or has no whole
   * batches to its end, or ends elsewhere: between two segments there is no hole (D-10.2). `newVisitor` makes one that sees the last batches, or all of them.
   */
  load(endOffset: Offset = ANY_OFFSET, newVisitor: () => BatchVisitor = ignore): Promise<SegmentContent> {
    const loaded = this.#content;
    if (loaded !== undefined) {
      this.#host.indexes.used(this);
      return Promise.resolve(loaded);
    }
    if (this.#loading !== undefined) return this.#loading;
    const loading = this.#load(endOffset, newVisitor).finally(() => {
      if (this.#loading === loading) this.#loading = undefined;
    });
    this.#loading = loading;
    return loading;
  }

  async #load(endOffset: Offset, newVisitor: () => BatchVisitor): Promise<SegmentContent> {
    const version = this.#version;
    const content = await this.#openFile();
    const known = this.#facts?.size;
    if (known !== undefined && content.size !== known) {
      throw new EnvError('CORRUPT', `${this.path} has ${content.size} bytes, but had ${known} when it was last used`);
    }
    const mayBeEmpty = endOffset === ANY_OFFSET || endOffset === this.baseOffset;
    if (content.size === 0 && !mayBeEmpty) {
      throw new EnvError('CORRUPT', `${this.path} is empty but not the last segment`);
    }
    const index = content.size === 0 ? undefined : await this.#readIndexFiles(content, endOffset);
    const indexed = index && (await this.#tryTail(content, index, newVisitor()));
    const loaded = indexed ?? (await this.#rebuilt(content, newVisitor()));
    if (endOffset !== ANY_OFFSET && loaded.loadedEndOffset !== endOffset) {
      const ends = `it ends at offset ${loaded.loadedEndOffset}, and should at ${endOffset}`;
      throw new EnvError('CORRUPT', `${this.path} is damaged at position ${content.size}: ${ends}`);
    }
    // What was cut meanwhile is only for who asked before, and will look again.
    return version === this.#version ? this.#publish(loaded) : loaded;
  }

  /** With the index brought up to the last batch; undefined if it does not fit the batches. */
  async #tryTail(
    content: SegmentContent,
    index: SegmentIndex,
    visit: BatchVisitor,
  ): Promise<SegmentContent | undefined> {
    const indexedOffset = index.offsets.count === 0 ? undefined : index.offsets.last().offset;
    let fits: boolean | undefined;
    let loadedEndOffset = this.baseOffset;
    try {
      await this.extendIndex(content, index, (batch, position) => {
        fits ??= indexedOffset === undefined || indexedOffset === batch.lastOffset;
        if (!fits) throw new EnvError('CORRUPT', `${this.path}: its index leads to another batch`);
        loadedEndOffset = batch.nextOffset;
        visit(batch, position);
      });
    } catch (error) {
      if (isEnvError(error, 'CORRUPT')) return undefined;
      throw error;
    }
    return fits === true && index.times.isSane(loadedEndOffset) ? { ...content, index, loadedEndOffset } : undefined;
  }

  /** With indexes made from the headers of all batches. EnvError CORRUPT if they do not reach to the end. */
  async #rebuilt(content: SegmentContent, visit: BatchVisitor): Promise<SegmentContent> {
    const index = new SegmentIndex(this.baseOffset, this.#host.intervalBytes);
    let loadedEndOffset = this.baseOffset;
    await this.extendIndex(content, index, (batch, position) => {
      loadedEndOffset = batch.nextOffset;
      visit(batch, position);
    });
    index.seal();
    return { ...content, index, loadedEndOffset };
  }

  /** Rebuilds the indexes of a loaded, sealed segment. */
  async rebuildIndex(content: SegmentContent): Promise<void> {
    content.index = (await this.#rebuilt(content, () => {})).index;
  }

  /** Loads it with empty indexes, which the caller fills before anybody else sees the segment. */
  async open(): Promise<SegmentContent> {
    assert(this.#content === undefined, () => `${this.path} is open already`);
    return this.#publish(await this.#openFile());
  }

  async #openFile(): Promise<SegmentContent> {
    const file = this.#file;
    try {
      await file.open();
    } catch (error) {
      // Its name was listed, or noted when the log was closed: what it held is lost, and only that.
      if (isEnvError(error, 'NOT_FOUND')) throw new EnvError('CORRUPT', `${this.path} is gone`, error);
      throw error;
    }
    const size = await file.size();
    return {
      file,
      index: new SegmentIndex(this.baseOffset, this.#host.intervalBytes),
      size,
      loadedEndOffset: this.baseOffset,
    };
  }

  #publish(content: SegmentContent): SegmentContent {
    this.#content = content;
    this.#host.indexes.used(this);
    return content;
  }

  /** Its batches end at `size` from now on, and these are their indexes. Readers that were there before know others. */
  replace(index: SegmentIndex, size: number): void {
    this.#version += 1;
    this.#loading = undefined;
    this.#publish({ file: this.#file, index, size, loadedEndOffset: this.baseOffset });
  }

  /** Drops the indexes. Those that are not in the index files as they are have to be rebuilt for the next use. */
  unload(): void {
    const content = this.#content;
    if (content === undefined) return;
    this.#facts = { size: content.size, max: content.index.max };
    this.#content = undefined;
    this.#host.indexes.dropped(this);
  }

  /** The indexes in the files; undefined if one is missing or cannot belong to this segment. */
  async #readIndexFiles(content: SegmentContent, endOffset: Offset): Promise<SegmentIndex | undefined> {
    const [offsetBytes, timeBytes] = await Promise.all([
      readIfThere(this.#host.disk, `${this.#prefix}.index`),
      readIfThere(this.#host.disk, `${this.#prefix}.timeindex`),
    ]);
    if (offsetBytes === undefined || timeBytes === undefined) return undefined;
    const offsets = new OffsetIndex(this.baseOffset, offsetBytes);
    const times = new TimeIndex(this.baseOffset, timeBytes);
    if (!offsets.isSane(content.size) || !times.isSane(endOffset)) return undefined;
    if (offsets.count > 0 && offsets.last().offset >= endOffset) return undefined;
    // Records with timestamps always have a last entry, written when the segment was sealed or closed.
    if (times.count === 0 && content.size > 0) return undefined;
    const index = new SegmentIndex(this.baseOffset, this.#host.intervalBytes, offsets, times);
    return (await lastTimeFits(content, index)) ? index : undefined;
  }

  /** Brings an index from its last entry up to `to`, the end unless given; `visit` sees each batch on the way. */
  async extendIndex(
    content: SegmentContent,
    index: SegmentIndex,
    visit: BatchVisitor,
    to: number = content.size,
  ): Promise<void> {
    const range = { from: index.resumeAt, to, view: 'header' } as const;
    let endOffset = this.baseOffset;
    let wrong: string | undefined;
    const end = await scanBatches(content.file, range, (batch, position) => {
      wrong = misfit(batch, this.baseOffset, endOffset);
      if (wrong !== undefined) return false;
      endOffset = batch.nextOffset;
      visit(batch, position);
      index.add(batch, position);
      return true;
    });
    const problem = wrong ?? end.problem;
    if (problem !== undefined) {
      throw new EnvError('CORRUPT', `${this.path} is damaged at position ${end.position}: ${problem}`);
    }
  }

  /** Writes and syncs the index files with all entries; the directory entry still needs a sync. */
  async persistIndexes(): Promise<void> {
    const { index } = this.content;
    await replaceContent(this.#host.disk, `${this.#prefix}.index`, index.offsets.bytes);
    await replaceContent(this.#host.disk, `${this.#prefix}.timeindex`, index.times.bytes);
  }

  /** Unlinks the files, the log last; durable once the directory is synced. */
  async remove(): Promise<void> {
    await this.close();
    for (const kind of ['index', 'timeindex', 'log']) await this.#host.disk.remove(`${this.#prefix}.${kind}`);
  }

  async close(): Promise<void> {
    // A load that failed has nothing to drop; who asked for it was told.
    await this.#loading?.catch(() => undefined);
    this.unload();
    await this.#file.close();
  }
}

/** Whether the greatest timestamp is that of the batch it is said to be of. */
async function lastTimeFits({ file, size }: SegmentContent, { offsets, times }: SegmentIndex): Promise<boolean> {
  const { offset, timestamp } = times.last();
  let fits = times.count === 0;
  const range = { from: offsets.lookup(offset).position, to: size, view: 'header' } as const;
  await scanBatches(file, range, (batch) => {
    if (batch.lastOffset < offset) return true;
    fits ||= batch.lastOffset === offset && batch.maxTimestamp === timestamp;
    return false;
  });
  return fits;
}

/** In place, not atomically: a half-written index is never trusted, see recovery. */
async function replaceContent(disk: Disk, path: string, bytes: Buffer): Promise<void> {
  const file = await disk.open(path, 'write');
  try {
    await file.truncate(0);
    writeFully(file, bytes, 0);
    await file.sync();
  } finally {
    await file.close();
  }
}
