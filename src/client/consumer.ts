// The consumer of assigned partitions (no group): one fetch at a time per leader, on connections of its own since a fetch
// waits at the broker; leader changes are followed, and a log that lost what was read is an error, never a silent jump
// (D-8.2). A partition is fetched again when its last answer is being handed out, so memory stays bounded.
import type { Epoch, Ms, NodeId, Offset } from '../base/ids.ts';
import { sleep } from '../env/clock.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import type { BatchHeader } from '../record/batch.ts';
import type { RecordHeader } from '../record/record.ts';
import { backoffMs } from './backoff.ts';
import { brokerError, ClientError } from './client-error.ts';
import type { ClusterClient, Lane } from './cluster.ts';
import type { FetchTarget, PartitionAnswer } from './fetch-call.ts';
import { fetchFrom } from './fetch-call.ts';
import type { WantedRange } from './fetched.ts';
import { recordsOf } from './fetched.ts';
import { EARLIEST_TIMESTAMP, ignoreUnreachable, LATEST_TIMESTAMP, listOffset } from './leader-call.ts';

/** `timestamp`: at the first record that is as late, or at the end if none is. */
export type StartAt = 'beginning' | 'end' | { readonly offset: Offset } | { readonly timestamp: number };

export interface Assignment {
  readonly topic: string;
  readonly partition: number;
  readonly start: StartAt;
}

export interface ConsumerOptions {
  /** How long a broker may wait for records to come; default 500. */
  readonly maxWaitMs?: Ms;
  readonly minBytes?: number;
  /** Per answer; default 16 MiB. */
  readonly maxBytes?: number;
  /** Per partition and answer; default 1 MiB. */
  readonly partitionMaxBytes?: number;
  /** Check the CRC of every batch; default true. */
  readonly checkCrcs?: boolean;
  /** Stop at the end that each partition had at the start. Default false: wait for more. */
  readonly readToEnd?: boolean;
  /** What to do where the position is not in the log (any more); default `fail`. */
  readonly outOfRange?: 'fail' | 'beginning' | 'end';
}

export interface ConsumedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: Offset;
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly RecordHeader[];
  /** Of the leader that wrote the batch. */
  readonly leaderEpoch: Epoch;
}

interface Reader extends FetchTarget {
  /** Undefined until it was looked up. */
  position: Offset | undefined;
  start: StartAt;
  /** Where to stop, exclusive. */
  endOffset: Offset | undefined;
  /** A fetch, a look-up or a pause is on its way, or records wait to be handed out. */
  busy: boolean;
  failures: number;
}

/** A topic that brokers do not know is waited for so long, since one of them may lag behind; then it is gone. */
const UNKNOWN_TOPIC_ATTEMPTS = 10;

/** Records that came, and readers that need a pause before they try again. */
interface TaskResult {
  readonly ready: readonly Ready[];
  readonly retry: readonly Reader[];
}

const NOTHING: TaskResult = { ready: [], retry: [] };

interface Ready {
  readonly reader: Reader;
  readonly batches: readonly BatchHeader[];
  readonly wanted: WantedRange;
}

export class Consumer {
  readonly #cluster: ClusterClient;
  readonly #options: Required<ConsumerOptions>;
  readonly #lane: Lane;
  readonly #readers: readonly Reader[];
  readonly #fetching = new Set<NodeId>();
  readonly #ready: Ready[] = [];
  #wake: (() => void) | undefined;
  /** What ends the iteration, once. */
  #failure: { readonly error: unknown } | undefined;
  #closed = false;

  /** Fetches nothing before `records` is called. */
  constructor(cluster: ClusterClient, assignments: readonly Assignment[], options: ConsumerOptions = {}) {
    this.#cluster = cluster;
    this.#lane = cluster.newLane('fetch');
    this.#options = {
      maxWaitMs: options.maxWaitMs ?? 500,
      minBytes: options.minBytes ?? 1,
      maxBytes: options.maxBytes ?? 16 * 1024 * 1024,
      partitionMaxBytes: options.partitionMaxBytes ?? 1024 * 1024,
      checkCrcs: options.checkCrcs ?? true,
      readToEnd: options.readToEnd ?? false,
      outOfRange: options.outOfRange ?? 'fail',
    };
    this.#readers = assignments.map(({ topic, partition, start }) => ({
      ...{ topic, partition, start },
      ...{ topicId: undefined, position: undefined, endOffset: undefined },
      ...{ lastFetchedEpoch: -1, busy: false, failures: 0 },
    }));
  }

  /**
   * Records of all partitions, in offset order within each. Ends after `close`, and with `readToEnd` when everything was
   * read. Throws ClientError for what retrying does not mend. To be iterated once.
   */
  async *records(): AsyncGenerator<ConsumedRecord, void, undefined> {
    try {
      for (;;) {
        if (this.#closed) return;
        this.#pump();
        const next = this.#ready.shift();
        if (next !== undefined) {
          next.reader.busy = false;
          // The next fetch runs while these are handed out.
          this.#pump();
          yield* this.#recordsOf(next);
        } else if (this.#failure !== undefined) {
          throw this.#failure.error;
        } else if (this.#readers.every(isFinished)) {
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      this.close();
    }
  }

  /** Ends the iteration at its next step, and the fetches that wait. */
  close(): void {
    this.#closed = true;
    this.#cluster.closeLane(this.#lane);
    this.#wakeUp();
  }

  *#recordsOf({ reader, batches, wanted }: Ready): Generator<ConsumedRecord, void, undefined> {
    const { topic, partition } = reader;
    for (const batch of batches) {
      const leaderEpoch = batch.partitionLeaderEpoch;
      for (const record of recordsOf(batch, wanted, this.#options.checkCrcs, `${topic}-${partition}`)) {
        if (this.#closed) return;
        yield { topic, partition, leaderEpoch, ...record };
      }
    }
  }

  /** Starts what can be started: look-ups of positions, and a fetch from every leader that has none. */
  #pump(): void {
    if (this.#closed || this.#failure !== undefined) return;
    const byLeader = new Map<NodeId, Reader[]>();
    for (const reader of this.#readers) {
      if (reader.busy || isFinished(reader)) continue;
      if (reader.position === undefined) {
        this.#run([reader], this.#locate(reader));
        continue;
      }
      const leader = this.#cluster.leaderOf(reader.topic, reader.partition);
      if (leader === undefined) this.#run([reader], this.#retryLater([reader]));
      else byLeader.set(leader.leaderId, [...(byLeader.get(leader.leaderId) ?? []), reader]);
    }
    for (const [leaderId, readers] of byLeader) {
      if (!this.#fetching.has(leaderId)) this.#run(readers, this.#fetch(leaderId, readers));
    }
  }

  /** Keeps the readers busy while a task of theirs runs; only what a retry does not mend is thrown by a task. */
  #run(readers: readonly Reader[], task: Promise<TaskResult>): void {
    for (const reader of readers) reader.busy = true;
    task.then(
      ({ ready, retry }) => {
        const waiting = new Set(ready.map(({ reader }) => reader));
        for (const reader of readers) reader.busy = waiting.has(reader);
        this.#ready.push(...ready);
        // One by one: those that can go on soon need not wait for the others.
        for (const reader of retry) this.#run([reader], this.#retryLater([reader]));
        this.#wakeUp();
      },
      (error: unknown) => {
        this.#failure ??= { error };
        this.#wakeUp();
      },
    );
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Finds out where to begin, where to end, and which topic it is. */
  async #locate(reader: Reader): Promise<TaskResult> {
    const { topic, partition, start } = reader;
    const { topicId } = await this.#cluster.topic(topic);
    if (reader.topicId !== undefined && reader.topicId !== topicId) throw recreated(reader);
    reader.topicId = topicId;
    if (this.#options.readToEnd && reader.endOffset === undefined) {
      reader.endOffset = (await listOffset(this.#cluster, topic, partition, LATEST_TIMESTAMP)).offset;
    }
    reader.position = await this.#offsetOf(reader, start);
    return NOTHING;
  }

  async #offsetOf({ topic, partition, endOffset }: Reader, start: StartAt): Promise<Offset> {
    const cluster = this.#cluster;
    if (start === 'beginning') return (await listOffset(cluster, topic, partition, EARLIEST_TIMESTAMP)).offset;
    if (start === 'end') return endOffset ?? (await listOffset(cluster, topic, partition, LATEST_TIMESTAMP)).offset;
    if ('offset' in start) return start.offset;
    const found = await listOffset(cluster, topic, partition, Math.max(0, start.timestamp));
    return found.offset >= 0 ? found.offset : (await listOffset(cluster, topic, partition, LATEST_TIMESTAMP)).offset;
  }

  async #fetch(leaderId: NodeId, readers: readonly Reader[]): Promise<TaskResult> {
    this.#fetching.add(leaderId);
    try {
      const connection = await this.#cluster.connectionTo(leaderId, this.#lane);
      if (this.#closed) {
        connection.close();
        return NOTHING;
      }
      return this.#accept(readers, await fetchFrom(this.#cluster, connection, readers, this.#options));
    } catch (error) {
      if (this.#closed) return NOTHING;
      if (!(error instanceof ClientError) || !error.retriable) throw error;
      return await this.#retryLater(readers);
    } finally {
      this.#fetching.delete(leaderId);
    }
  }

  #accept(readers: readonly Reader[], answers: ReadonlyMap<FetchTarget, PartitionAnswer>): TaskResult {
    const ready: Ready[] = [];
    const retry: Reader[] = [];
    for (const reader of readers) {
      const answer = answers.get(reader);
      if (answer === undefined || answer.kind === 'retry') retry.push(reader);
      else if (answer.kind === 'out-of-range') this.#reposition(reader, answer.error);
      else this.#advance(reader, answer.batches, ready);
    }
    return { ready, retry };
  }

  #advance(reader: Reader, batches: readonly BatchHeader[], ready: Ready[]): void {
    reader.failures = 0;
    const last = batches.at(-1);
    const from = reader.position;
    if (last === undefined || from === undefined) return;
    ready.push({ reader, batches, wanted: { from, end: reader.endOffset } });
    reader.position = Math.max(from, last.nextOffset);
    reader.lastFetchedEpoch = last.partitionLeaderEpoch;
  }

  #reposition(reader: Reader, error: ClientError): void {
    // Who has read nothing yet is promised the beginning that the log has then: retention may have moved it meanwhile.
    const begins = reader.start === 'beginning' && reader.lastFetchedEpoch < 0;
    const start = begins ? 'beginning' : this.#options.outOfRange;
    if (start === 'fail') throw error;
    reader.position = undefined;
    reader.lastFetchedEpoch = -1;
    reader.start = start;
  }

  /** A pause and fresh metadata; a topic that has another id by then is another topic. */
  async #retryLater(readers: readonly Reader[]): Promise<TaskResult> {
    const { clock, random } = this.#cluster.deps;
    const failures = Math.max(...readers.map((reader) => ++reader.failures));
    await sleep(clock, backoffMs(random, 'client.fetch', failures));
    if (this.#closed) return NOTHING;
    await this.#cluster.refresh(readers.map(({ topic }) => topic)).catch(ignoreUnreachable);
    for (const reader of readers) {
      const unknown = this.#cluster.metadata.topicError(reader.topic) === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
      if (unknown && reader.failures >= UNKNOWN_TOPIC_ATTEMPTS) {
        throw brokerError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `topic ${reader.topic}`);
      }
      const now = this.#cluster.metadata.topic(reader.topic)?.topicId;
      if (now !== undefined && reader.topicId !== undefined && now !== reader.topicId) throw recreated(reader);
    }
    return NOTHING;
  }
}

function isFinished(reader: Reader): boolean {
  return (
    reader.position !== undefined &&
    reader.endOffset !== undefined &&
    reader.position >= reader.endOffset &&
    !reader.busy
  );
}

function recreated({ topic }: Reader): ClientError {
  return new ClientError('TOPIC_RECREATED', `topic ${topic} was deleted, and another one has its name now`);
}
