// The durable-end note: how far this replica's log, epoch and vote are known durable, kept in a file outside the
// database, which cannot tell a damaged synced tail from one that was never synced. Two slots written in turn, so that a torn
// write leaves the one before. Invariant: the disk always holds at least what either slot says: it belongs to a format.
import { assert } from '../base/assert.ts';
import { ByteReader, BytesError, ByteWriter } from '../base/bytes.ts';
import { crc32c } from '../base/crc32c.ts';
import type { Epoch, Offset } from '../base/ids.ts';
import { uuidFromBytes, uuidToBytes, ZERO_UUID } from '../base/uuid.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { Disk, DiskFile } from '../env/disk.ts';
import { writeFileDurably } from '../env/disk.ts';
import { EnvError, isEnvError } from '../env/error.ts';
import type { ReplicaKey } from '../raft/types.ts';

/** What is durable at least: the log up to an offset and the quorum state. */
export interface DurableEnd extends LogEnd {
  /** */
  readonly leaderEpoch: Epoch;
  /** The vote in `leaderEpoch`: once given it is there for the rest of the epoch. */
  readonly votedKey: ReplicaKey | undefined;
}

export interface LogEnd {
  readonly logEndOffset: Offset;
  /** Epoch of the record before `logEndOffset`; 0 where that is 0. */
  readonly lastEpoch: Epoch;
}

export const NOTHING_DURABLE: DurableEnd = { logEndOffset: 0, lastEpoch: 0, leaderEpoch: 0, votedKey: undefined };

const FILE = 'durable-end';
const FORMAT = 1;
/** Slots lie on pages of their own: a torn write damages one. */
const SLOT_SPACING = 4096;
const SLOT_BYTES = 49;
/** A claim is written so long after it was made, with those that came meanwhile. */
const DELAY_MS = 20;

interface Slot {
  readonly sequence: number;
  readonly end: DurableEnd;
}

function encodeSlot({ sequence, end }: Slot): Buffer {
  const writer = new ByteWriter(SLOT_BYTES);
  writer.uint32(0);
  writer.uint8(FORMAT);
  writer.int64(sequence);
  writer.int64(end.logEndOffset);
  writer.int32(end.lastEpoch);
  writer.int32(end.leaderEpoch);
  writer.int32(end.votedKey?.id ?? -1);
  writer.bytes(uuidToBytes(end.votedKey?.directoryId ?? ZERO_UUID));
  const bytes = writer.finish();
  assert(bytes.length === SLOT_BYTES, 'a slot of the durable-end note has a fixed size');
  bytes.writeUInt32BE(crc32c(bytes, 4), 0);
  return bytes;
}

/** The slot, or undefined where it is damaged. EnvError NEWER_FORMAT. */
function decodeSlot(path: string, bytes: Buffer): Slot | undefined {
  if (bytes.length < SLOT_BYTES || bytes.readUInt32BE(0) !== crc32c(bytes, 4, SLOT_BYTES)) return undefined;
  const reader = new ByteReader(bytes, 4);
  const format = reader.uint8();
  if (format !== FORMAT) {
    throw new EnvError('NEWER_FORMAT', `${path} has format ${format}, this release reads ${FORMAT}`);
  }
  try {
    const sequence = reader.int64();
    const [logEndOffset, lastEpoch, leaderEpoch, id] = [reader.int64(), reader.int32(), reader.int32(), reader.int32()];
    const votedKey = id < 0 ? undefined : { id, directoryId: uuidFromBytes(reader.bytes(16)) };
    return { sequence, end: { logEndOffset, lastEpoch, leaderEpoch, votedKey } };
  } catch (error) {
    if (error instanceof BytesError) return undefined;
    throw error;
  }
}

/** Writes the note of a directory that is being formatted: nothing is durable yet. Durable when it resolves. */
export async function createDurableEnd(disk: Disk, directory: string, end = NOTHING_DURABLE): Promise<void> {
  const content = Buffer.alloc(SLOT_SPACING + SLOT_BYTES);
  encodeSlot({ sequence: 0, end }).copy(content, 0);
  encodeSlot({ sequence: 1, end }).copy(content, SLOT_SPACING);
  await writeFileDurably(disk, `${directory}/${FILE}`, content);
}

/** What can be wrong with a note as a whole; a crash does neither. */
export type DurableEndProblem = 'missing' | 'damaged';

async function readSlots(disk: Disk, path: string): Promise<Slot | DurableEndProblem> {
  let content: Buffer;
  try {
    content = await disk.readFile(path);
  } catch (error) {
    if (isEnvError(error, 'NOT_FOUND')) return 'missing';
    throw error;
  }
  const slots = [0, SLOT_SPACING]
    .map((at) => decodeSlot(path, content.subarray(at, at + SLOT_BYTES)))
    .filter((slot) => slot !== undefined);
  // A crash tears one slot at most.
  return slots.sort((a, b) => b.sequence - a.sequence)[0] ?? 'damaged';
}

/** What the note of a stopped node says. EnvError NEWER_FORMAT. */
export async function readDurableEnd(disk: Disk, directory: string): Promise<DurableEnd | DurableEndProblem> {
  const slot = await readSlots(disk, `${directory}/${FILE}`);
  return typeof slot === 'string' ? slot : slot.end;
}

function unusable(directory: string, problem: DurableEndProblem): EnvError {
  const why = {
    missing:
      'is missing: this directory was wiped, or formatted by another version; a replica does not take part without it',
    damaged: 'is damaged',
  }[problem];
  return new EnvError('CORRUPT', `${directory}/${FILE} ${why}`);
}

/**
 * Keeps the note of a running replica. `raise` after something became durable, `lower` before any of it is cut. Costs the log
 * nothing: claims are written beside it, in the background.
 */
export class DurableEndNote {
  /** What the note said when it was opened: to be compared with what was loaded. */
  readonly found: DurableEnd;
  readonly #clock: Clock;
  readonly #file: DiskFile;
  readonly #failed: (error: unknown) => void;
  /** The most that a slot says, or may say once the write under way is done. */
  #claimed: DurableEnd;
  #sequence: number;
  #wanted: DurableEnd | undefined;
  #writing: Promise<void> | undefined;
  #timer: Timer | undefined;
  /** Closed, or a write failed: nothing is written any more. */
  #over = false;

  private constructor(clock: Clock, file: DiskFile, slot: Slot, failed: (error: unknown) => void) {
    this.found = slot.end;
    this.#clock = clock;
    this.#file = file;
    this.#failed = failed;
    this.#claimed = slot.end;
    this.#sequence = slot.sequence;
  }

  /** EnvError CORRUPT if the note is missing or damaged, NEWER_FORMAT. `failed` hears, once, that a claim could not be written: fatal. */
  static async open(
    env: { readonly disk: Disk; readonly clock: Clock },
    directory: string,
    failed: (error: unknown) => void,
  ): Promise<DurableEndNote> {
    const path = `${directory}/${FILE}`;
    const slot = await readSlots(env.disk, path);
    if (typeof slot === 'string') throw unusable(directory, slot);
    return new DurableEndNote(env.clock, await env.disk.open(path, 'write'), slot, failed);
  }

  /** All of this is durable now. Returns at once; claims that follow each other quickly are written as one. */
  raise(end: DurableEnd): void {
    if (this.#over) return;
    this.#wanted = end;
    this.#timer ??= this.#clock.schedule(DELAY_MS, () => {
      this.#timer = undefined;
      this.#begin();
    });
  }

  /**
   * Something at or after `end.logEndOffset` is about to be cut from the log; where the whole log is replaced, by a snapshot,
   * that is 0. Once it resolves the note claims no more than what stays, whichever of the two happens in a crash. In both slots:
   * the damage of one must not bring back the higher claim.
   */
  async lower(end: LogEnd): Promise<void> {
    if (this.#wanted !== undefined && this.#wanted.logEndOffset > end.logEndOffset) this.#wanted = undefined;
    while (this.#writing !== undefined) await this.#writing;
    if (this.#over || this.#claimed.logEndOffset <= end.logEndOffset) return;
    const lowered = { ...this.#claimed, ...end };
    this.#writing = this.#put(lowered).then(() => this.#put(lowered));
    try {
      await this.#writing;
    } finally {
      this.#writing = undefined;
    }
    this.#claimed = lowered;
  }

  /** Writes what was claimed last, unless a write failed before, and closes the file. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    while (this.#writing !== undefined) await this.#writing;
    this.#begin();
    await this.#writing;
    this.#over = true;
    await this.#file.close();
  }

  #begin(): void {
    const end = this.#wanted;
    if (end === undefined || this.#over) return;
    if (this.#writing !== undefined) {
      // Those who wait for a slow write come again when it is done.
      this.raise(end);
      return;
    }
    this.#wanted = undefined;
    this.#claimed = end;
    this.#writing = this.#put(end)
      .catch((error: unknown) => {
        if (this.#over) return;
        this.#over = true;
        this.#failed(error);
      })
      .finally(() => {
        this.#writing = undefined;
      });
  }

  async #put(end: DurableEnd): Promise<void> {
    const sequence = ++this.#sequence;
    const bytes = encodeSlot({ sequence, end });
    const written = this.#file.write([bytes], (sequence % 2) * SLOT_SPACING);
    if (written < bytes.length) throw new EnvError('NO_SPACE', `no space left to write ${this.#file.path}`);
    await this.#file.sync();
  }
}
