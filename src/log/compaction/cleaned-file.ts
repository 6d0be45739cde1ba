// The segment that a compaction writes: `<base offset>.log.cleaned` and its index files, which count for nothing until they are
// renamed (swap.ts). Written in order through one buffer, and made durable often on the way: a sync of another log may have to wait
// for what this file has not written back (with syncs every 4 MiB its p99 was about twice that with 1 MiB).
import type { Offset } from '../../base/ids.ts';
import type { Disk, DiskFile } from '../../env/disk.ts';
import { BatchHeader } from '../../record/batch.ts';
import { writeFully } from '../batch-scan.ts';
import { filePrefix } from '../file-names.ts';
import { SegmentIndex } from '../segment-index.ts';
import type { Pace } from './batch-walk.ts';

const BUFFER_BYTES = 128 * 1024;
const SYNC_EVERY_BYTES = 1024 * 1024;

/** The files of a segment; the log first: it is the one that counts. */
export const SEGMENT_KINDS = ['log', 'index', 'timeindex'] as const;

/** Kafka's suffixes: being written, and complete but not yet in its place. */
export const CLEANED = '.cleaned';
export const SWAP = '.swap';

export class CleanedFile {
  readonly baseOffset: Offset;
  readonly file: DiskFile;
  readonly index: SegmentIndex;
  readonly #disk: Disk;
  readonly #prefix: string;
  readonly #pace: Pace;
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #buffered = 0;
  #written = 0;
  #synced = 0;

  private constructor(disk: Disk, prefix: string, file: DiskFile, index: SegmentIndex, pace: Pace) {
    this.baseOffset = index.offsets.baseOffset;
    this.file = file;
    this.index = index;
    this.#disk = disk;
    this.#prefix = prefix;
    this.#pace = pace;
  }

  static async create(
    disk: Disk,
    directory: string,
    baseOffset: Offset,
    indexIntervalBytes: number,
    pace: Pace,
  ): Promise<CleanedFile> {
    const prefix = filePrefix(directory, baseOffset);
    await removeFiles(disk, prefix, CLEANED);
    const file = await disk.open(`${prefix}.log${CLEANED}`, 'create');
    return new CleanedFile(disk, prefix, file, new SegmentIndex(baseOffset, indexIntervalBytes), pace);
  }

  /** Bytes so far. */
  get size(): number {
    return this.#written + this.#buffered;
  }

  /** Adds a whole batch, whose bytes may change afterwards. Wait for what it returns, if anything. */
  append(batch: Buffer): Promise<void> | undefined {
    this.index.add(new BatchHeader(batch), this.size);
    if (batch.length <= BUFFER_BYTES - this.#buffered) {
      this.#buffered += batch.copy(this.#buffer, this.#buffered);
      return undefined;
    }
    this.#flush();
    if (batch.length <= BUFFER_BYTES) this.#buffered = batch.copy(this.#buffer);
    else this.#write(batch);
    return this.#afterWrite();
  }

  #flush(): void {
    this.#write(this.#buffer.subarray(0, this.#buffered));
    this.#buffered = 0;
  }

  #write(bytes: Buffer): void {
    writeFully(this.file, bytes, this.#written);
    this.#written += bytes.length;
  }

  async #afterWrite(): Promise<void> {
    await this.#pace.step(BUFFER_BYTES);
    if (this.#written - this.#synced < SYNC_EVERY_BYTES) return;
    this.#synced = this.#written;
    await this.file.sync();
  }

  /** Writes the rest and the indexes; all of it is durable then, but for the directory's entries. */
  async complete(): Promise<void> {
    await this.#pace.step(this.#buffered);
    this.#flush();
    this.index.seal();
    await this.file.sync();
    await this.#writeIndex('index', this.index.offsets.bytes);
    await this.#writeIndex('timeindex', this.index.times.bytes);
  }

  async #writeIndex(kind: string, bytes: Buffer): Promise<void> {
    const file = await this.#disk.open(`${this.#prefix}.${kind}${CLEANED}`, 'create');
    try {
      writeFully(file, bytes, 0);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** Closes and removes what was written. */
  async discard(): Promise<void> {
    await this.file.close();
    await removeFiles(this.#disk, this.#prefix, CLEANED);
  }
}

/** Removes the files of a segment that have this suffix, as far as they are there; the log last. */
async function removeFiles(disk: Disk, prefix: string, suffix: string): Promise<void> {
  for (const kind of SEGMENT_KINDS.toReversed()) await disk.remove(`${prefix}.${kind}${suffix}`);
}

/** Gives the files of a segment another suffix, as far as they are there; the log last, or first when it begins to count. */
export async function renameFiles(disk: Disk, prefix: string, from: string, to: string): Promise<void> {
  for (const kind of SEGMENT_KINDS.toReversed()) {
    const path = `${prefix}.${kind}${from}`;
    if (kind === 'log' || (await disk.exists(path))) await disk.rename(path, `${prefix}.${kind}${to}`);
  }
}
