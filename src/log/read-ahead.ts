// Reads of what the tail cache does not have: by consumers that catch up. All logs of a broker share how many such preads run at
// once, so that they leave the thread pool to syncs and to whoever waits for one page, and the memory for reading ahead: a
// reader that goes on where it ended, with small requests, is served from one larger pread. What was read under another
// generation of the log is never used.
import type { DiskFile } from '../env/disk.ts';
import { readFully } from './batch-scan.ts';
import { Slots } from './slots.ts';

const WINDOW_BYTES = 1024 * 1024;
/** With 16 threads, 12 of which may sync, and even with libuv's 4, others find one free. */
const MAX_READS = 2;
/** Budget: 16 MiB. */
const WINDOWS = 16;
/**
 * A window is taken from a reader that has not come back while so many reads were made, and not before: with more readers than
 * windows some read without, instead of all reading ahead for nothing.
 */
const PATIENCE = 1024;

/** A segment's bytes as one reader sees them. */
export interface Source {
  /** Which segment it is. */
  readonly segment: object;
  readonly file: DiskFile;
  /** Of the log: another one has other bytes. */
  readonly generation: number;
  /** Bytes that may be read. */
  readonly size: number;
}

interface Window {
  readonly bytes: Buffer;
  source: Source;
  /** The range of the file that is, or will be, in `bytes`. */
  from: number;
  to: number;
  loading: Promise<boolean> | undefined;
  /** Number of the read that used it last; 0 when its end was reached. */
  usedAt: number;
}

export class ReadAhead {
  readonly #slots: Slots;
  readonly #maxWindows: number;
  readonly #windowBytes: number;
  readonly #windows: Window[] = [];
  #reads = 0;

  constructor(maxReads: number = MAX_READS, maxWindows: number = WINDOWS, windowBytes: number = WINDOW_BYTES) {
    this.#slots = new Slots(maxReads);
    this.#maxWindows = maxWindows;
    this.#windowBytes = windowBytes;
  }

  /** Runs an operation that makes one pread at a time, when it is its turn. */
  inTurn<T>(operation: () => Promise<T>): Promise<T> {
    return this.#slots.run(operation);
  }

  /**
   * The `length` bytes at `position`, which are to be there; fewer if the file ends before. `goesOn`: the reader ended there.
   */
  async read(
    source: Source,
    position: number,
    length: number,
    goesOn: boolean,
    allocate: (size: number) => Buffer,
  ): Promise<Buffer> {
    this.#reads += 1;
    const ahead = this.#windows.find((window) => isFor(window, source, position));
    const found = ahead && (await this.#takeFrom(ahead, source, position, length, allocate));
    if (found !== undefined) return found;
    if (goesOn && length * 2 <= this.#windowBytes && length < source.size - position) {
      const window = this.#load(source, position);
      const read = window && (await this.#takeFrom(window, source, position, length, allocate));
      if (read !== undefined) return read;
    }
    const target = allocate(length);
    const count = await this.inTurn(() => readFully(source.file, target, length, position));
    return target.subarray(0, count);
  }

  async #takeFrom(
    window: Window,
    source: Source,
    position: number,
    length: number,
    allocate: (size: number) => Buffer,
  ): Promise<Buffer | undefined> {
    if (window.loading !== undefined) await window.loading;
    if (window.loading !== undefined || !isFor(window, source, position)) return undefined;
    const at = position - window.from;
    const end = position + length;
    window.usedAt = end < window.to ? this.#reads : 0;
    if (end > window.to) return undefined;
    const target = allocate(length);
    window.bytes.copy(target, 0, at, at + length);
    return target;
  }

  /** Begins to read ahead from `position`; undefined if there is no memory to do so. */
  #load(source: Source, position: number): Window | undefined {
    const window = this.#freeWindow(source);
    if (window === undefined) return undefined;
    const length = Math.min(this.#windowBytes, source.size - position);
    window.source = source;
    window.from = position;
    window.to = position + length;
    window.usedAt = this.#reads;
    window.loading = this.inTurn(() => readFully(source.file, window.bytes, length, position))
      .then(
        (count) => count === length,
        // Who waits for it reads for himself, and learns why.
        () => false,
      )
      .then((isWhole) => {
        window.loading = undefined;
        if (!isWhole) window.to = window.from;
        return isWhole;
      });
    return window;
  }

  #freeWindow(source: Source): Window | undefined {
    let oldest: Window | undefined;
    for (const window of this.#windows) {
      if (window.loading === undefined && window.usedAt < (oldest?.usedAt ?? Number.POSITIVE_INFINITY)) oldest = window;
    }
    if (oldest !== undefined && oldest.usedAt <= Math.max(0, this.#reads - PATIENCE)) return oldest;
    if (this.#windows.length === this.#maxWindows) return undefined;
    const bytes = Buffer.allocUnsafeSlow(this.#windowBytes);
    const window = { bytes, source, from: 0, to: 0, loading: undefined, usedAt: 0 };
    this.#windows.push(window);
    return window;
  }
}

function isFor({ source, from, to }: Window, wanted: Source, position: number): boolean {
  const same = source.segment === wanted.segment && source.generation === wanted.generation;
  return same && from <= position && position < to;
}
