// With `preallocate`, zeros ahead of the records: a flush that need not extend its file is quicker by a third. Node has no
// fallocate, so they are written, step by step, and cost the disk as much as records do: only where flushes are small they pay.
// They are cut off when the segment is sealed and when the log is closed or cooled; after a crash recovery cuts them.
import { EnvError } from '../env/error.ts';
import type { LogState } from './log-state.ts';
import { activeSegment } from './log-state.ts';
import type { Segment } from './segment.ts';

const STEP_BYTES = 512 * 1024;
/** Room is made again when less than this is left. */
const LOW_BYTES = STEP_BYTES / 4;
/** A step serves 16 flushes at least, or is not made. */
const MAX_FLUSH_BYTES = STEP_BYTES / 16;
const ZEROS = Buffer.alloc(STEP_BYTES);

/** Before a flush of the active segment: writes the next zeros if there are few left. Never fails: records come first. */
export function makeRoom(state: LogState): void {
  if (!state.config.preallocate || state.tailUnknown) return;
  const { baseOffset, file, size } = activeSegment(state);
  const room = state.preallocation;
  if (room?.baseOffset !== baseOffset) {
    // How large flushes are is known from the next one on.
    state.preallocation = { baseOffset, end: 0, flushed: size };
    return;
  }
  const flushing = size - room.flushed;
  room.flushed = size;
  if (flushing > MAX_FLUSH_BYTES || room.end - size >= LOW_BYTES) return;
  const from = Math.max(room.end, size);
  const length = Math.min(STEP_BYTES, state.config.segmentBytes - from);
  if (length <= 0) return;
  try {
    room.end = from + file.write([length === STEP_BYTES ? ZEROS : ZEROS.subarray(0, length)], from);
  } catch (error) {
    if (!(error instanceof EnvError)) throw error;
    room.end = Number.POSITIVE_INFINITY;
  }
}

/** Whether zeros may lie behind the records of the active segment. */
export function hasRoom({ preallocation }: LogState, { baseOffset, size }: Segment): boolean {
  return preallocation?.baseOffset === baseOffset && preallocation.end > size;
}

/** Cuts the zeros off; durable with the next sync. Nothing may be appended to the segment meanwhile. */
export async function trimRoom(state: LogState, segment: Segment): Promise<void> {
  if (hasRoom(state, segment)) await segment.file.truncate(segment.size);
  state.preallocation = undefined;
}
