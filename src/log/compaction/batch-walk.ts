// Goes through the batches of a segment file for compaction: whole batches with their CRC checked, in small portions. Every wait for the
// disk lets other work of the broker run; where a batch holds more work than a portion may, `breathe` is such a wait.

import type { DiskFile } from '../../env/disk.ts';
import { EnvError } from '../../env/error.ts';
import { BATCH_HEADER_BYTES, BatchHeader } from '../../record/batch.ts';
import { scanBatch } from '../../record/scan.ts';
import { readFully } from '../batch-scan.ts';

const CHUNK_BYTES = 64 * 1024;

/** Records that are looked at between two waits: well below 0.3 ms. */
export const RECORDS_PER_BREATH = 256;

/** What a walk needs from the one who compacts: throws to end it, waits where the disk is to be spared. */
export interface Pace {
  /** Before so many bytes are read or written. */
  step(bytes: number): Promise<void> | undefined;
}

export class BatchWalk {
  readonly #file: DiskFile;
  readonly #pace: Pace;
  readonly #to: number;
  #buffer: Buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  /** In the buffer: bytes [at, filled) are not walked yet, and lie at `position` in the file. */
  #at = 0;
  #filled = 0;
  #position = 0;
  #records = 0;

  /** Of the bytes [from, to), where a batch starts and one ends. */
  constructor(file: DiskFile, from: number, to: number, pace: Pace) {
    this.#file = file;
    this.#pace = pace;
    this.#position = from;
    this.#to = to;
  }

  /** Reads on; false at the end. EnvError CORRUPT if what is there are no whole batches. */
  async fill(): Promise<boolean> {
    const kept = this.#filled - this.#at;
    if (this.#position === this.#to) return false;
    if (kept >= BATCH_HEADER_BYTES) this.#makeRoomFor(new BatchHeader(this.#buffer, this.#at).sizeInBytes);
    this.#buffer.copyWithin(0, this.#at, this.#filled);
    this.#at = 0;
    const wanted = Math.min(this.#buffer.length, this.#to - this.#position) - kept;
    if (wanted <= 0) throw this.#damaged('the file ends in the middle of a batch');
    await this.#pace.step(wanted);
    const from = this.#position + kept;
    const count = await readInto(this.#file, this.#buffer, kept, wanted, from);
    if (count < wanted) throw this.#damaged(`the file ends at ${from + count}`);
    this.#filled = kept + wanted;
    this.#records = 0;
    return true;
  }

  /** The next batch of those that were read, valid until `fill`; undefined: read on. EnvError CORRUPT if it is damaged. */
  next(): BatchHeader | undefined {
    const scan = scanBatch(this.#buffer, this.#at, this.#filled);
    if (scan.kind === 'malformed') throw this.#damaged(scan.reason);
    if (scan.kind !== 'batch') return undefined;
    const { batch } = scan;
    if (batch.computeCrc() !== batch.crc)
      throw this.#damaged(`batch at offset ${batch.baseOffset} does not match its CRC`);
    this.#at = batch.end;
    this.#position += batch.sizeInBytes;
    return batch;
  }

  /** So many records were looked at. Wait for what it returns, if anything. */
  spent(records: number): Promise<void> | undefined {
    this.#records += records;
    return this.#records < RECORDS_PER_BREATH ? undefined : this.#breathe();
  }

  async #breathe(): Promise<void> {
    this.#records = 0;
    await this.#pace.step(0);
    await this.#file.read(Buffer.allocUnsafe(1), 0, 1, 0);
  }

  #makeRoomFor(bytes: number): void {
    if (bytes > this.#to - this.#position) throw this.#damaged('the file ends in the middle of a batch');
    if (bytes <= this.#buffer.length) return;
    const bigger = Buffer.allocUnsafe(bytes);
    this.#buffer.copy(bigger, 0, this.#at, this.#filled);
    this.#filled -= this.#at;
    this.#at = 0;
    this.#buffer = bigger;
  }

  #damaged(what: string): EnvError {
    return new EnvError('CORRUPT', `${this.#file.path} is damaged at position ${this.#position}: ${what}`);
  }
}

function readInto(file: DiskFile, target: Buffer, start: number, length: number, position: number): Promise<number> {
  return readFully(file, start === 0 ? target : target.subarray(start), length, position);
}
