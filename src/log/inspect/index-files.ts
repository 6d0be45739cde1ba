// Index files: their entries, and whether they say the truth about the segment beside them. An entry of the offset index
// holds the last offset of the batch at its position; one of the time index, the greatest timestamp up to and including the
// batch that ends at its offset, which has it. Both ascend, so that one pass over the segment checks them.
import { walkBatches } from './batch-walk.ts';
import type { Content } from './finding.ts';
import { problemAt } from './finding.ts';
import type { FileWindow } from './window.ts';

interface SegmentView {
  readonly window: FileWindow;
  readonly baseOffset: number;
}

/** Headers of the segment's batches in order, as far as they have been asked for. */
class Cursor {
  readonly #batches: AsyncGenerator<Place, void, undefined> | undefined;
  #next: Place | undefined;
  /** The last batch that was passed. */
  last: Place | undefined;

  constructor(segment: SegmentView | undefined) {
    this.#batches = segment === undefined ? undefined : placesOf(segment);
  }

  get hasSegment(): boolean {
    return this.#batches !== undefined;
  }

  /** Passes batches up to and including the first that is `at` the wanted place. Undefined if there is none. */
  async passTo(at: (place: Place) => boolean): Promise<Place | undefined> {
    if (this.last !== undefined && at(this.last)) return this.last;
    for (;;) {
      this.#next ??= (await this.#batches?.next())?.value ?? undefined;
      if (this.#next === undefined) return undefined;
      this.last = this.#next;
      this.#next = undefined;
      if (at(this.last)) return this.last;
    }
  }
}

interface Place {
  readonly position: number;
  readonly lastOffset: number;
  readonly maxTimestamp: number;
  /** Of this batch and all before it. */
  readonly newestTimestamp: number;
}

async function* placesOf({ window, baseOffset }: SegmentView): AsyncGenerator<Place, void, undefined> {
  let newestTimestamp = -1;
  for await (const stretch of walkBatches(window, baseOffset)) {
    if (stretch.kind !== 'batch') continue;
    const { lastOffset, maxTimestamp } = stretch.batch;
    newestTimestamp = Math.max(newestTimestamp, maxTimestamp);
    yield { position: stretch.position, lastOffset, maxTimestamp, newestTimestamp };
  }
}

const OFFSET_ENTRY_BYTES = 8;

export async function* inspectOffsetIndex(
  index: FileWindow,
  baseOffset: number,
  segment: FileWindow | undefined,
): AsyncGenerator<Content, void, undefined> {
  const cursor = new Cursor(segment === undefined ? undefined : { window: segment, baseOffset });
  let [offset, position] = [baseOffset - 1, -1];
  for await (const entry of entriesOf(index, OFFSET_ENTRY_BYTES)) {
    if ('content' in entry) {
      yield entry.content;
      continue;
    }
    const next = { offset: baseOffset + entry.bytes.readInt32BE(0), position: entry.bytes.readInt32BE(4) };
    yield { type: 'offsetIndexEntry', ...next };
    if (next.offset <= offset || next.position <= position) {
      yield problemAt(entry.at, `entry ${next.offset} at ${next.position} after ${offset} at ${position}`);
      continue;
    }
    [offset, position] = [next.offset, next.position];
    if (!cursor.hasSegment) continue;
    const batch = await cursor.passTo((place) => place.position >= next.position);
    if (batch?.position !== position) {
      yield problemAt(entry.at, `no batch of the segment starts at position ${position}`);
    } else if (batch.lastOffset !== offset) {
      yield problemAt(entry.at, `the batch at position ${position} ends at offset ${batch.lastOffset}, not ${offset}`);
    }
  }
}

const TIME_ENTRY_BYTES = 12;

export async function* inspectTimeIndex(
  index: FileWindow,
  baseOffset: number,
  segment: FileWindow | undefined,
): AsyncGenerator<Content, void, undefined> {
  const cursor = new Cursor(segment === undefined ? undefined : { window: segment, baseOffset });
  let [timestamp, offset] = [-1, baseOffset];
  for await (const entry of entriesOf(index, TIME_ENTRY_BYTES)) {
    if ('content' in entry) {
      yield entry.content;
      continue;
    }
    const next = { timestamp: Number(entry.bytes.readBigInt64BE(0)), offset: baseOffset + entry.bytes.readInt32BE(8) };
    yield { type: 'timeIndexEntry', ...next };
    if (next.timestamp <= timestamp || next.offset < offset) {
      yield problemAt(entry.at, `entry ${next.timestamp} at ${next.offset} after ${timestamp} at ${offset}`);
      continue;
    }
    [timestamp, offset] = [next.timestamp, next.offset];
    if (!cursor.hasSegment) continue;
    const batch = await cursor.passTo((place) => place.lastOffset >= next.offset);
    if (batch?.lastOffset !== offset) {
      yield problemAt(entry.at, `no batch of the segment ends at offset ${offset}`);
    } else if (batch.maxTimestamp !== timestamp) {
      yield problemAt(
        entry.at,
        `the batch that ends at ${offset} has timestamp ${batch.maxTimestamp}, not ${timestamp}`,
      );
    } else if (batch.newestTimestamp !== timestamp) {
      yield problemAt(entry.at, `a batch before offset ${offset} has a later timestamp, ${batch.newestTimestamp}`);
    }
  }
}

const ABORTED_BYTES = 34;

export async function* inspectTransactionIndex(index: FileWindow): AsyncGenerator<Content, void, undefined> {
  let previous = -1;
  for await (const entry of entriesOf(index, ABORTED_BYTES)) {
    if ('content' in entry) {
      yield entry.content;
      continue;
    }
    const [producerId, firstOffset, lastOffset, lastStableOffset] = [2, 10, 18, 26].map((at) =>
      Number(entry.bytes.readBigInt64BE(at)),
    ) as [number, number, number, number];
    yield { type: 'abortedTransaction', producerId, firstOffset, lastOffset, lastStableOffset };
    const version = entry.bytes.readInt16BE(0);
    if (version !== 0) yield problemAt(entry.at, `version ${version} instead of 0`);
    if (lastOffset <= previous || firstOffset > lastOffset) {
      yield problemAt(entry.at, `transaction from ${firstOffset} to ${lastOffset} after one that ended at ${previous}`);
    }
    previous = lastOffset;
  }
}

type Entry = { readonly at: number; readonly bytes: Buffer } | { readonly content: Content };

/** Entries up to the zeros at the end: a file is as large as it may become while its segment is written to, by Kafka. */
async function* entriesOf(index: FileWindow, entryBytes: number): AsyncGenerator<Entry, void, undefined> {
  const whole = index.size - (index.size % entryBytes);
  let zerosFrom: number | undefined;
  for (let at = 0; at < whole; at += entryBytes) {
    const bytes = await index.view(at, entryBytes);
    // The very first entry may be of zeros by right: time 0 at the base offset.
    if (bytes.every((byte) => byte === 0) && !(at === 0 && whole === entryBytes)) {
      zerosFrom ??= at;
      continue;
    }
    if (zerosFrom !== undefined) {
      yield { content: problemAt(zerosFrom, `zeros up to position ${at}, and entries after them`) };
      zerosFrom = undefined;
    }
    yield { at, bytes };
  }
  if (zerosFrom !== undefined) {
    const text = `zeros from position ${zerosFrom} to the end, ${whole - zerosFrom} bytes: reserved ahead of use`;
    yield { content: { type: 'note', text } };
  }
  if (whole < index.size) {
    yield { content: problemAt(whole, `${index.size - whole} bytes at the end are no entry of ${entryBytes}`) };
  }
}
