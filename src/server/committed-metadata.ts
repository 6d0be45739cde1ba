// The node's own committed metadata log, decoded, for those who read it from some offset on: in slices, with pauses in between, and
// beside a log that goes on and is trimmed meanwhile.
import { assert } from '../base/assert.ts';
import type { Epoch, Offset } from '../base/ids.ts';
import type { Clock } from '../env/clock.ts';
import { sleep } from '../env/clock.ts';
import { RpcError } from '../env/network.ts';
import type { MetadataRecord } from '../gen/kvorum/v1/metadata.ts';
import type { LoggedRecord } from '../metadata/explain.ts';
import { decodeRecord } from '../metadata/record.ts';
import { moved } from '../quorum/admin-watch.ts';
import type { Quorum } from '../quorum/quorum.ts';
import type { Batch, Snapshot } from '../raft/types.ts';

/** What is read of the quorum. */
export type ReadQuorum = Pick<Quorum, 'describe' | 'readCommitted' | 'whenCommitted' | 'snapshots' | 'openSnapshot'>;

/** Records of one batch that follow each other, at offsets from `baseOffset` on; none for what is the quorum's own. */
export interface RecordSlice {
  readonly baseOffset: Offset;
  readonly endOffset: Offset;
  readonly epoch: Epoch;
  /** When the batch was decided, -1 if not known. */
  readonly timestampMs: number;
  readonly records: readonly MetadataRecord[];
}

/** One read of the log, which gives at least a batch. */
const READ_BYTES = 64 * 1024;
/** Records that are decoded and handled without a pause: about a millisecond of work. */
const SLICE_RECORDS = 250;
/** How long a node that started may take to learn what is committed. */
const HIGH_WATERMARK_WAIT_MS = 5000;

/** What was to be read went meanwhile, into a snapshot that is newer: begin anew. */
export class LogTrimmed extends Error {
  override name = 'LogTrimmed';
}

export class CommittedMetadata {
  readonly #quorum: ReadQuorum;
  readonly #clock: Clock;

  constructor(quorum: ReadQuorum, clock: Clock) {
    this.#quorum = quorum;
    this.#clock = clock;
  }

  /** End of what is committed, as soon as the node knows. RpcError UNAVAILABLE when it stops, or has found no leader. */
  async endOffset(signal: AbortSignal): Promise<Offset> {
    const known = await moved(this.#quorum, this.#clock, signal, 0, HIGH_WATERMARK_WAIT_MS);
    if (known === 'committed') return this.#quorum.describe().highWatermark;
    throw new RpcError(
      'UNAVAILABLE',
      'this node does not know what is committed: it has found no leader since its start',
    );
  }

  /** Oldest first: the log begins where the first one ends, at 0 if there is none. */
  get snapshots(): readonly Snapshot[] {
    return this.#quorum.snapshots;
  }

  /** [from, to), with a pause between slices; `to` is committed. LogTrimmed if the log does not hold what comes next any more. */
  async *read(from: Offset, to: Offset): AsyncGenerator<RecordSlice, void, undefined> {
    let next = from;
    let sincePause = 0;
    while (next < to) {
      const read = this.#quorum.readCommitted(next, READ_BYTES);
      if (read.type === 'belowLogStart') throw new LogTrimmed();
      assert(read.batches.length > 0, 'what is committed is in the log or in a snapshot');
      for (const batch of read.batches) {
        for (const slice of slicesOf(batch, next, to)) {
          yield slice;
          next = slice.endOffset;
          sincePause += slice.records.length;
          if (sincePause < SLICE_RECORDS) continue;
          sincePause = 0;
          await sleep(this.#clock, 0);
        }
      }
    }
  }

  /** All records of the snapshot in order, a chunk at a time, with pauses. LogTrimmed if it is not kept any more; EnvError CORRUPT, IO. */
  async *readSnapshot({ id }: Snapshot): AsyncGenerator<readonly MetadataRecord[], void, undefined> {
    const reader = await this.#quorum.openSnapshot(id);
    if (reader === undefined) throw new LogTrimmed();
    try {
      let position = 0;
      for await (const chunk of reader.chunks()) yield chunk.map((bytes) => decodeRecord(bytes, position++));
    } finally {
      await reader.close();
    }
  }

  /** The record at that offset, if the log holds it and it is no record of the quorum's own. */
  recordAt(offset: Offset): LoggedRecord | undefined {
    if (offset < 0) return undefined;
    const read = this.#quorum.readCommitted(offset, 1);
    const [batch] = read.type === 'batches' ? read.batches : [];
    const index = offset - (batch?.baseOffset ?? 0);
    if (batch === undefined || batch.control || index < 0 || index >= batch.records.length) return undefined;
    const at = (i: number): MetadataRecord => decodeRecord(batch.records[i] ?? new Uint8Array(), batch.baseOffset + i);
    const { epoch } = batch;
    return {
      epoch,
      timestampMs: timestampOf(batch),
      record: at(index),
      previous: index > 0 ? at(index - 1) : undefined,
    };
  }
}

/** The part of the batch in [from, to), decoded as it is asked for. */
function* slicesOf(batch: Batch, from: Offset, to: Offset): Generator<RecordSlice, void, undefined> {
  const { baseOffset, epoch, records } = batch;
  const end = Math.min(to, baseOffset + records.length);
  const timestampMs = timestampOf(batch);
  for (let at = Math.max(from, baseOffset); at < end; at += SLICE_RECORDS) {
    const endOffset = Math.min(end, at + SLICE_RECORDS);
    const bytes = batch.control ? [] : records.slice(at - baseOffset, endOffset - baseOffset);
    const decoded = bytes.map((record, i) => decodeRecord(record, at + i));
    yield { baseOffset: at, endOffset, epoch, timestampMs, records: decoded };
  }
}

/** The first record of a batch says when the batch was decided. */
function timestampOf({ control, records, baseOffset }: Batch): number {
  const [first] = records;
  return control || first === undefined ? -1 : (decodeRecord(first, baseOffset).timestampMs ?? -1);
}
