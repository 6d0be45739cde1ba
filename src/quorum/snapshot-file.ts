// Writing and reading one snapshot file, in slices that leave the event loop free. What is read is verified, chunk by
// chunk and as a whole: damage is EnvError CORRUPT with the file's name and never "no state".
import { ByteWriter } from '../base/bytes.ts';
import type { Ms } from '../base/ids.ts';
import type { Clock } from '../env/clock.ts';
import { sleep } from '../env/clock.ts';
import type { Disk, DiskFile } from '../env/disk.ts';
import { EnvError, isEnvError } from '../env/error.ts';
import type { SnapshotFooter, SnapshotHeader } from './snapshot-format.ts';
import {
  CHUNK_BYTES,
  chainCrc,
  decodeFooter,
  decodeHead,
  decodeHeader,
  decodeRecords,
  encodeFooter,
  encodeFrame,
  encodeHeader,
  FRAME_HEAD_BYTES,
  frameCrc,
  SnapshotDamage,
  verifyFrame,
  writeRecord,
} from './snapshot-format.ts';

/** Longest stretch of work on a snapshot without letting others run; a tenth of the pause that is allowed. */
const SLICE_MS: Ms = 5;
/** So many records are taken between looks at the clock. */
const RECORDS_PER_LOOK = 32;

/** Writes all chunks; throws NO_SPACE where the disk takes only a part. Returns the bytes written. */
export function writeFully(file: DiskFile, bytes: Uint8Array, position: number): number {
  for (let at = 0; at < bytes.length; ) at += file.write([bytes.subarray(at)], position + at);
  return bytes.length;
}

/**
 * Writes a complete snapshot to `path`, synced; the caller gives it its final name. `isCancelled` is asked between slices.
 * Returns its size, undefined if it was cancelled. EnvError NO_SPACE, IO.
 */
export async function writeSnapshotFile(
  disk: Disk,
  clock: Clock,
  path: string,
  content: { readonly header: SnapshotHeader; readonly records: Iterable<Uint8Array> },
  isCancelled: () => boolean,
): Promise<number | undefined> {
  const file = await disk.open(path, 'create');
  try {
    let size = 0;
    let crc = 0;
    const put = (frame: Buffer): void => {
      size += writeFully(file, frame, size);
      crc = chainCrc(crc, frameCrc(frame));
    };
    put(encodeFrame('header', encodeHeader(content.header)));
    let recordCount = 0;
    for (const chunk of chunksOf(content.records, clock)) {
      recordCount += chunk.recordCount;
      put(encodeFrame('records', chunk.body));
      await sleep(clock, 0);
      if (isCancelled()) return undefined;
    }
    put(encodeFrame('footer', encodeFooter({ recordCount, crc })));
    await file.sync();
    return size;
  } finally {
    await file.close();
  }
}

/** Bodies of frames, each made in one slice: full, or as far as the slice got. */
function* chunksOf(
  records: Iterable<Uint8Array>,
  clock: Clock,
): Generator<{ readonly body: Buffer; readonly recordCount: number }> {
  const writer = new ByteWriter(CHUNK_BYTES + 1024);
  let recordCount = 0;
  let sliceEnds = clock.now() + SLICE_MS;
  for (const record of records) {
    writeRecord(writer, record);
    recordCount++;
    const isLate = recordCount % RECORDS_PER_LOOK === 0 && clock.now() >= sliceEnds;
    if (writer.position < CHUNK_BYTES && !isLate) continue;
    yield { body: writer.finish(), recordCount };
    writer.position = 0;
    recordCount = 0;
    sliceEnds = clock.now() + SLICE_MS;
  }
  if (recordCount > 0) yield { body: writer.finish(), recordCount };
}

/** Reads one snapshot file from its start to its end, once. */
export class SnapshotFileReader {
  readonly header: SnapshotHeader;
  readonly sizeBytes: number;
  readonly #file: DiskFile;
  readonly #clock: Clock;
  #position: number;
  #crc: number;

  private constructor(file: DiskFile, clock: Clock, sizeBytes: number, header: SnapshotHeader, headerFrame: Frame) {
    this.#file = file;
    this.#clock = clock;
    this.sizeBytes = sizeBytes;
    this.header = header;
    this.#position = FRAME_HEAD_BYTES + headerFrame.body.length;
    this.#crc = chainCrc(0, frameCrc(headerFrame.head));
  }

  /** Opens the file and reads its header. EnvError CORRUPT with the file's name: missing, damaged, of a newer version. */
  static async open(disk: Disk, clock: Clock, path: string): Promise<SnapshotFileReader> {
    const file = await disk.open(path, 'read').catch((error: unknown) => {
      if (isEnvError(error, 'NOT_FOUND')) throw unusable(path, { message: 'it is missing', newer: false });
      throw error;
    });
    try {
      const size = await file.size();
      const frame = await readFrame(file, 0, size);
      if (frame.kind !== 'header') throw new SnapshotDamage('it does not begin with a header');
      return new SnapshotFileReader(file, clock, size, decodeHeader(frame.body), frame);
    } catch (error) {
      await file.close();
      throw asCorrupt(path, error, 0);
    }
  }

  /** The records, a chunk at a time. EnvError CORRUPT unless the file is complete and intact to its last byte. */
  async *chunks(): AsyncGenerator<readonly Uint8Array[]> {
    try {
      let recordCount = 0;
      for (;;) {
        const crcBefore = this.#crc;
        const frame = await readFrame(this.#file, this.#position, this.sizeBytes);
        this.#position += FRAME_HEAD_BYTES + frame.body.length;
        this.#crc = chainCrc(crcBefore, frameCrc(frame.head));
        if (frame.kind === 'footer') {
          this.#verifyEnd(decodeFooter(frame.body), { recordCount, crc: crcBefore });
          return;
        }
        if (frame.kind !== 'records') throw new SnapshotDamage('it has two headers');
        const records = decodeRecords(frame.body);
        recordCount += records.length;
        yield records;
        await sleep(this.#clock, 0);
      }
    } catch (error) {
      throw asCorrupt(this.#file.path, error, this.#position);
    }
  }

  #verifyEnd(footer: SnapshotFooter, seen: SnapshotFooter): void {
    if (footer.recordCount !== seen.recordCount || footer.crc !== seen.crc) {
      throw new SnapshotDamage(`it has ${seen.recordCount} records, its footer is of ${footer.recordCount} others`);
    }
    if (this.#position !== this.sizeBytes) throw new SnapshotDamage('something follows its footer');
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

interface Frame {
  readonly kind: ReturnType<typeof decodeHead>['kind'];
  readonly head: Buffer;
  readonly body: Buffer;
}

async function readFrame(file: DiskFile, position: number, size: number): Promise<Frame> {
  const head = await readExactly(file, FRAME_HEAD_BYTES, position, size);
  const { kind, bodyBytes } = decodeHead(head);
  const body = await readExactly(file, bodyBytes, position + FRAME_HEAD_BYTES, size);
  verifyFrame(head, body);
  return { kind, head, body };
}

/** SnapshotDamage where the file ends before. */
async function readExactly(file: DiskFile, length: number, position: number, size: number): Promise<Buffer> {
  if (position + length > size) throw new SnapshotDamage('it is cut short');
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; ) {
    const count = await file.read(bytes, at, length - at, position + at);
    if (count === 0) throw new SnapshotDamage('it is cut short');
    at += count;
  }
  return bytes;
}

/** `position`: of the frame that is damaged, or that should be there. */
function asCorrupt(path: string, error: unknown, position: number): unknown {
  if (!(error instanceof SnapshotDamage)) return error;
  return unusable(path, { message: `${error.message}, at byte ${position}`, newer: error.newer });
}

/** what is wrong with which file. */
export function unusable(path: string, { message, newer }: Pick<SnapshotDamage, 'message' | 'newer'>): EnvError {
  return new EnvError(newer ? 'NEWER_FORMAT' : 'CORRUPT', `the snapshot ${path} cannot be used: ${message}`);
}
