// WatchMetadata: the committed log as a stream of typed records, from a snapshot on where the log begins later.
// The reader sets the pace: nothing is read ahead of what it takes.
import type { Ms, Offset } from '../base/ids.ts';
import type { Clock } from '../env/clock.ts';
import type { RpcStreamContext } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import { invalidArgument } from '../env/rpc-failures.ts';
import type { WatchMetadataRequest, WatchMetadataResponse } from '../gen/kvorum/v1/admin.ts';
import type { Snapshot, SnapshotId } from '../raft/types.ts';
import { batchMessage, recordMessages, voterMessage } from './admin-messages.ts';
import type { Quorum } from './quorum.ts';

type Event = NonNullable<WatchMetadataResponse['event']>;

interface OpenSnapshot {
  readonly snapshot: Snapshot;
  chunks(): AsyncIterable<readonly Uint8Array[]>;
  close(): Promise<void>;
}

/** What a watch reads of the quorum. */
export interface WatchedQuorum extends Pick<Quorum, 'describe' | 'readCommitted' | 'whenCommitted'> {
  openSnapshot(id?: SnapshotId): Promise<OpenSnapshot | undefined>;
}

/** One read of the log, and about the size of one message. */
const READ_BYTES = 256 * 1024;
/** A wait for more is begun anew after this, so that a watcher who left is forgotten also where nothing happens. */
const WAIT_MS: Ms = 30_000;
/** How long a node that started may take to learn what is committed. */
const HIGH_WATERMARK_WAIT_MS: Ms = 5000;
/** A snapshot may be replaced by a newer one between finding and opening it. */
const OPEN_ATTEMPTS = 3;

/** RpcError INVALID_ARGUMENT; UNAVAILABLE when the node stops, or does not know (yet) what is committed. */
export async function* watchMetadata(
  quorum: WatchedQuorum,
  clock: Clock,
  { fromOffset, untilNow }: WatchMetadataRequest,
  { signal }: Pick<RpcStreamContext, 'signal'>,
): AsyncGenerator<WatchMetadataResponse> {
  if (fromOffset < -1) {
    throw invalidArgument('from_offset', `from_offset is ${fromOffset}: give an offset >= 0, or -1 for the end`);
  }
  const highWatermark = (): Offset => quorum.describe().highWatermark;
  const known = await moved(quorum, clock, signal, 0, HIGH_WATERMARK_WAIT_MS);
  if (known === 'not yet') {
    throw new RpcError(
      'UNAVAILABLE',
      'this node does not know what is committed: it has found no leader since its start',
    );
  }
  const stopAt = untilNow ? highWatermark() : Number.POSITIVE_INFINITY;
  let next = fromOffset < 0 ? highWatermark() : fromOffset;
  let attempts = 0;
  while (next < stopAt && !signal.aborted) {
    const read = quorum.readCommitted(next, READ_BYTES);
    const committed = highWatermark();
    const event = (of: Event): WatchMetadataResponse => ({ event: of, highWatermark: committed });
    if (read.type === 'belowLogStart') {
      const reader = await quorum.openSnapshot(read.latest);
      if (reader === undefined && ++attempts < OPEN_ATTEMPTS) continue;
      if (reader === undefined) throw new RpcError('UNAVAILABLE', 'the snapshot before the log cannot be opened');
      for await (const part of snapshotEvents(reader)) yield event(part);
      next = reader.snapshot.id.endOffset;
      attempts = 0;
      continue;
    }
    for (const batch of read.batches) yield event({ $case: 'batch', batch: batchMessage(batch, next) });
    next = Math.max(next, read.endOffset);
    if (read.batches.length === 0) await moved(quorum, clock, signal, next + 1, WAIT_MS);
  }
}

async function* snapshotEvents(reader: OpenSnapshot): AsyncGenerator<Event> {
  try {
    const { id, voters, sizeBytes } = reader.snapshot;
    yield { $case: 'snapshot', snapshot: { ...id, voters: voters.map(voterMessage), sizeBytes } };
    let held: readonly Uint8Array[] = [];
    for await (const chunk of reader.chunks()) {
      if (held.length > 0) yield recordsEvent(held, false);
      held = chunk;
    }
    yield recordsEvent(held, true);
  } finally {
    await reader.close();
  }
}

function recordsEvent(records: readonly Uint8Array[], last: boolean): Event {
  return { $case: 'snapshotRecords', snapshotRecords: { records: recordMessages(records), last } };
}

/**
 * Waits until everything below `endOffset` is committed, or nobody listens, or `timeoutMs` have passed (`not yet`). RpcError
 * UNAVAILABLE when the node stops.
 */
export async function moved(
  quorum: WatchedQuorum,
  clock: Clock,
  signal: AbortSignal,
  endOffset: Offset,
  timeoutMs: Ms,
): Promise<'committed' | 'not yet'> {
  const startedAt = clock.now();
  let leave: (() => void) | undefined;
  const left = new Promise<'left'>((resolve) => {
    leave = () => resolve('left');
    signal.addEventListener('abort', leave);
  });
  const outcome = await Promise.race([quorum.whenCommitted(endOffset, timeoutMs), left]);
  if (leave !== undefined) signal.removeEventListener('abort', leave);
  if (outcome === 'left') return 'not yet';
  if (outcome) return 'committed';
  if (clock.now() - startedAt < timeoutMs) throw new RpcError('UNAVAILABLE', 'the node is stopping');
  return 'not yet';
}
