// MetadataHistory and DiffMetadata over the node's own log and snapshots. What is sent is made as it is asked for;
// of a comparison both images are held, so that few are made at a time.
import type { Offset } from '../base/ids.ts';
import type { Clock } from '../env/clock.ts';
import { sleep } from '../env/clock.ts';
import type { RpcStreamContext } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import { invalidArgument } from '../env/rpc-failures.ts';
import type {
  DiffEntry,
  DiffMetadataRequest,
  DiffMetadataResponse,
  HistoryEntry,
  MetadataHistoryRequest,
  MetadataHistoryResponse,
} from '../gen/kvorum/v1/admin.ts';
import { diffImages } from '../metadata/diff.ts';
import { TopicHistory } from '../metadata/history.ts';
import type { MetadataImage } from '../metadata/image.ts';
import { EMPTY_IMAGE } from '../metadata/image.ts';
import { ImageBuilder } from '../metadata/image-builder.ts';
import { replay } from '../metadata/replay.ts';
import type { CommittedMetadata, RecordSlice } from './committed-metadata.ts';
import { LogTrimmed } from './committed-metadata.ts';

type Listening = Pick<RpcStreamContext, 'signal'>;

/** How often the log may be trimmed while it is read, without getting further, before the caller is told to ask again. */
const ATTEMPTS = 3;
/** Comparisons under way at once: each holds two images. */
const MAX_COMPARISONS = 2;
/** Of one message, and between two pauses. */
const MAX_ENTRIES = 100;

function trimmed(): RpcError {
  return new RpcError('UNAVAILABLE', 'the metadata log was trimmed again and again while it was read: ask again');
}

// ---- history ----

/** RpcError INVALID_ARGUMENT, NOT_FOUND, UNAVAILABLE. */
export async function* metadataHistory(
  log: CommittedMetadata,
  { topic, partition }: MetadataHistoryRequest,
  { signal }: Listening,
): AsyncGenerator<MetadataHistoryResponse> {
  if (topic === '') throw invalidArgument('topic', 'topic is empty: name a topic');
  if (partition < -1) {
    throw invalidArgument('partition', `partition is ${partition}: give one >= 0, or -1 for the whole topic`);
  }
  const endOffset = await log.endOffset(signal);
  const history = new TopicHistory(topic, partition);
  let isFound = false;
  for (let start = -1, attempts = 0; ; ) {
    const startsAt = log.snapshots[0]?.id.endOffset ?? 0;
    attempts = startsAt > start ? 0 : attempts + 1;
    if (attempts === ATTEMPTS) throw trimmed();
    start = startsAt;
    try {
      for await (const entry of entriesFrom(log, history, endOffset)) {
        if (signal.aborted) return;
        isFound ||= typeof entry === 'object';
        yield { event: eventOf(entry) };
      }
    } catch (error) {
      // A reader that is slow, or a log that is trimmed often: what lies between is in the snapshot where it begins now.
      if (error instanceof LogTrimmed) continue;
      throw error;
    }
    if (isFound) return;
    const what = partition < 0 ? `topic '${topic}'` : `partition ${partition} of topic '${topic}'`;
    throw new RpcError(
      'NOT_FOUND',
      `the metadata log of this node, which begins at offset ${start}, says nothing of ${what}`,
    );
  }
}

/** Where the log begins, then what is known at its beginning, then every change. LogTrimmed. */
async function* entriesFrom(
  log: CommittedMetadata,
  history: TopicHistory,
  endOffset: Offset,
): AsyncGenerator<Offset | HistoryEntry, void, undefined> {
  history.reset();
  const [first] = log.snapshots;
  const start = first?.id.endOffset ?? 0;
  if (first !== undefined) {
    let position = 0;
    for await (const records of log.readSnapshot(first)) {
      for (const record of records) history.known(record, position++);
    }
  }
  yield start;
  if (first !== undefined) {
    yield* history.stateAtSnapshot({ offset: start - 1, epoch: first.id.epoch, timestampMs: -1 });
  }
  for await (const slice of log.read(start, endOffset)) yield* entriesOf(history, slice);
}

function* entriesOf(history: TopicHistory, slice: RecordSlice): Generator<HistoryEntry, void, undefined> {
  const { baseOffset, epoch, timestampMs, records } = slice;
  for (const [i, record] of records.entries()) {
    const entry = history.next(record, { offset: baseOffset + i, epoch, timestampMs });
    if (entry !== undefined) yield entry;
  }
}

function eventOf(entry: Offset | HistoryEntry): MetadataHistoryResponse['event'] {
  return typeof entry === 'number' ? { $case: 'logStartOffset', logStartOffset: entry } : { $case: 'entry', entry };
}

// ---- differences ----

/** Compares the metadata at two offsets. */
export class MetadataComparison {
  readonly #log: CommittedMetadata;
  readonly #clock: Clock;
  #underWay = 0;

  constructor(log: CommittedMetadata, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** RpcError INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNAVAILABLE. */
  async *diff(request: DiffMetadataRequest, { signal }: Listening): AsyncGenerator<DiffMetadataResponse> {
    const newest = await this.#log.endOffset(signal);
    const { from, to } = this.#rangeOf(request, newest);
    if (this.#underWay === MAX_COMPARISONS) {
      const others = `${MAX_COMPARISONS} comparisons are under way`;
      throw new RpcError('RESOURCE_EXHAUSTED', `${others} on this node: ask again in a moment, or another node`);
    }
    this.#underWay++;
    try {
      const images = await this.#imagesAt(from, to, signal);
      if (images === undefined) return;
      let entries: DiffEntry[] = [];
      for (const entry of diffImages(images.before, images.after)) {
        entries.push(entry);
        if (entries.length < MAX_ENTRIES) continue;
        if (signal.aborted) return;
        yield { entries };
        entries = [];
        await sleep(this.#clock, 0);
      }
      if (entries.length > 0) yield { entries };
    } finally {
      this.#underWay--;
    }
  }

  #rangeOf({ fromOffset, toOffset }: DiffMetadataRequest, newest: Offset): { from: Offset; to: Offset } {
    const oldest = this.#log.snapshots[0]?.id.endOffset ?? 0;
    const resolved = (name: string, offset: Offset): Offset => {
      if (offset === -1) return newest;
      if (offset >= oldest && offset <= newest) return offset;
      const range = `this node has images from offset ${oldest} to ${newest}`;
      throw invalidArgument(name, `${name} is ${offset}: ${range}; -1 is the newest`);
    };
    const [from, to] = [resolved('from_offset', fromOffset), resolved('to_offset', toOffset)];
    if (from > to) {
      throw invalidArgument('from_offset', `from_offset ${from} is above to_offset ${to}: give the earlier one first`);
    }
    return { from, to };
  }

  /** Undefined when nobody listens any more. The second image is made from the first: they share what did not change. */
  async #imagesAt(
    from: Offset,
    to: Offset,
    signal: AbortSignal,
  ): Promise<{ before: MetadataImage; after: MetadataImage } | undefined> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      try {
        const start = await this.#startBelow(from);
        const before = await this.#replayed(start, from, signal);
        const after = before && (await this.#replayed(before, to, signal));
        return before && after && { before, after };
      } catch (error) {
        if (!(error instanceof LogTrimmed)) throw error;
        this.#rangeOf({ fromOffset: from, toOffset: to }, to);
      }
    }
    throw trimmed();
  }

  /** The newest image at or below the offset that a snapshot gives, or the empty one. */
  async #startBelow(offset: Offset): Promise<MetadataImage> {
    const snapshot = this.#log.snapshots.findLast(({ id }) => id.endOffset <= offset);
    if (snapshot === undefined) return EMPTY_IMAGE;
    const builder = new ImageBuilder(EMPTY_IMAGE);
    for await (const records of this.#log.readSnapshot(snapshot)) for (const record of records) builder.add(record);
    return builder.finish(snapshot.id.endOffset, snapshot.id.epoch).image;
  }

  async #replayed(start: MetadataImage, to: Offset, signal: AbortSignal): Promise<MetadataImage | undefined> {
    let image = start;
    for await (const slice of this.#log.read(image.endOffset, to)) {
      if (signal.aborted) return undefined;
      ({ image } = replay(image, slice));
    }
    return image;
  }
}
