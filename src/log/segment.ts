// One segment of a log: `<base offset>.log` and its two index files. The active segment is always loaded; a sealed one
// opens its file and loads its indexes when first used. Index files are derived data, written when the segment is sealed
// or closed: missing or wrong ones are rebuilt from the log file.
import { assert } from '../base/assert.ts';
import type { Offset } from '../base/ids.ts';
import type { Disk, DiskFile } from '../env/disk.ts';
import { EnvError, isEnvError } from '../env/error.ts';
import type { BatchHeader } from '../record/batch.ts';
import { scanBatches, writeFully } from './batch-scan.ts';
import { filePrefix } from './file-names.ts';
import { OffsetIndex } from './offset-index.ts';
import { SegmentIndex } from './segment-index.ts';
import { TimeIndex } from './time-index.ts';

/** What a segment is once its file is open. */
export interface SegmentContent {
  readonly file: DiskFile;
  index: SegmentIndex;
  /** Bytes of whole batches in the file. */
  size: number;
}

export class Segment {
  readonly baseOffset: Offset;
  readonly #disk: Disk;
  readonly #prefix: string;
  readonly #intervalBytes: number;
  #content: SegmentContent | undefined;
  #loading: Promise<SegmentContent> | undefined;

  private constructor(disk: Disk, directory: string, baseOffset: Offset, intervalBytes: number) {
    this.baseOffset = baseOffset;
    this.#disk = disk;
    this.#prefix = filePrefix(directory, baseOffset);
    this.#intervalBytes = intervalBytes;
  }

  /** A new, empty one, synchronously. Its directory entry is volatile until the directory is synced (D-9.3). */
  static create(disk: Disk, directory: string, baseOffset: Offset, intervalBytes: number): Segment {
    const segment = new Segment(disk, directory, baseOffset, intervalBytes);
    const file = disk.openNow(segment.path, 'create');
    segment.#content = { file, index: new SegmentIndex(baseOffset, intervalBytes), size: 0 };
    return segment;
  }

  /** One that is on disk already. Opens nothing yet. */
  static existing(disk: Disk, directory: string, baseOffset: Offset, intervalBytes: number): Segment {
    return new Segment(disk, directory, baseOffset, intervalBytes);
  }

  get path(): string {
    return `${this.#prefix}.log`;
  }

  /** Of a segment that is loaded. */
  get content(): SegmentContent {
    assert(this.#content !== undefined, () => `${this.path} is not loaded`);
    return this.#content;
  }

  /**
   * Opens a sealed segment, which ends at `endOffset`, with its index files if they make sense, else with indexes
   * rebuilt from the batches. EnvError CORRUPT if the file has no whole batches to its end.
   */
  load(endOffset: Offset): Promise<SegmentContent> {
    if (this.#content !== undefined) return Promise.resolve(this.#content);
    this.#loading ??= this.#load(endOffset).finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #load(endOffset: Offset): Promise<SegmentContent> {
    const content = await this.open();
    if (content.size === 0) throw new EnvError('CORRUPT', `${this.path} is empty but not the last segment`);
    const indexed = await this.readIndexFiles(endOffset);
    if (indexed !== undefined) content.index = indexed;
    else await this.rebuildIndex();
    return content;
  }

  /** Opens the file with empty indexes, which the caller fills. */
  async open(): Promise<SegmentContent> {
    assert(this.#content === undefined, () => `${this.path} is open already`);
    const file = await this.#disk.open(this.path, 'write');
    const size = await file.size();
    this.#content = { file, index: new SegmentIndex(this.baseOffset, this.#intervalBytes), size };
    return this.#content;
  }

  /** The indexes in the files; undefined if one is missing or cannot belong to this segment. */
  async readIndexFiles(endOffset: Offset): Promise<SegmentIndex | undefined> {
    const [offsetBytes, timeBytes] = await Promise.all([
      readIfThere(this.#disk, `${this.#prefix}.index`),
      readIfThere(this.#disk, `${this.#prefix}.timeindex`),
    ]);
    if (offsetBytes === undefined || timeBytes === undefined) return undefined;
    const offsets = new OffsetIndex(this.baseOffset, offsetBytes);
    const times = new TimeIndex(this.baseOffset, timeBytes);
    if (!offsets.isSane(this.content.size) || !times.isSane(endOffset)) return undefined;
    if (offsets.count > 0 && offsets.last().offset >= endOffset) return undefined;
    // Records with timestamps always have a last entry, written when the segment was sealed or closed.
    if (times.count === 0 && this.content.size > 0) return undefined;
    const index = new SegmentIndex(this.baseOffset, this.#intervalBytes, offsets, times);
    return (await this.#lastTimeFits(index)) ? index : undefined;
  }

  /** Whether the greatest timestamp is that of the batch it is said to be of. */
  async #lastTimeFits({ offsets, times }: SegmentIndex): Promise<boolean> {
    const { offset, timestamp } = times.last();
    let fits = times.count === 0;
    const range = { from: offsets.lookup(offset).position, to: this.content.size, view: 'header' } as const;
    await scanBatches(this.content.file, range, (batch) => {
      if (batch.lastOffset < offset) return true;
      fits ||= batch.lastOffset === offset && batch.maxTimestamp === timestamp;
      return false;
    });
    return fits;
  }

  /** Rebuilds the indexes from the headers of all batches. EnvError CORRUPT if they do not reach to the end. */
  async rebuildIndex(): Promise<void> {
    const index = new SegmentIndex(this.baseOffset, this.#intervalBytes);
    await this.extendIndex(index, () => {});
    index.seal();
    this.content.index = index;
  }

  /** Brings an index from its last entry up to `to`, the end unless given; `visit` sees each batch on the way. */
  async extendIndex(
    index: SegmentIndex,
    visit: (batch: BatchHeader, position: number) => void,
    to: number = this.content.size,
  ): Promise<void> {
    const { file } = this.content;
    const end = await scanBatches(file, { from: index.resumeAt, to, view: 'header' }, (batch, position) => {
      index.add(batch, position);
      visit(batch, position);
      return true;
    });
    if (end.problem !== undefined) {
      throw new EnvError('CORRUPT', `${this.path} is damaged at position ${end.position}: ${end.problem}`);
    }
  }

  /** Writes and syncs the index files with all entries; the directory entry still needs a sync. */
  async persistIndexes(): Promise<void> {
    const { index } = this.content;
    await replaceContent(this.#disk, `${this.#prefix}.index`, index.offsets.bytes);
    await replaceContent(this.#disk, `${this.#prefix}.timeindex`, index.times.bytes);
  }

  /** Unlinks the files, the log last; durable once the directory is synced. */
  async remove(): Promise<void> {
    await this.close();
    for (const kind of ['index', 'timeindex', 'log']) await this.#disk.remove(`${this.#prefix}.${kind}`);
  }

  async close(): Promise<void> {
    // An open that failed has nothing to close; who asked for it was told.
    await this.#loading?.catch(() => undefined);
    const content = this.#content;
    this.#content = undefined;
    await content?.file.close();
  }
}

async function readIfThere(disk: Disk, path: string): Promise<Buffer | undefined> {
  try {
    return await disk.readFile(path);
  } catch (error) {
    if (isEnvError(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
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
