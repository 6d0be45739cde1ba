// Brings the batches of one partition to its leader, in order. Several may be in flight; after the first failure nothing
// more is sent until all of them are answered, then what failed goes again in the old order with the old sequences, so
// that the broker tells a repetition from a new batch (T-1.2). When a numbered batch is given up, its successors could
// never be accepted under the same numbering: the sender goes on with the next epoch, from sequence 0 (T-1.3), which
// also fences what may still be on its way. Only batches that surely were not appended are numbered anew.
import type { Ms } from '../base/ids.ts';
import type { Clock } from '../env/clock.ts';
import { sleep } from '../env/clock.ts';
import type { ProduceResponse } from '../protocol/apis/produce.ts';
import { produceApi } from '../protocol/apis/produce.ts';
import { ErrorCode, errorInfo, errorName } from '../protocol/error-codes.ts';
import { addToSequence } from '../record/batch.ts';
import type { BatchOptions, NewRecord } from '../record/builder.ts';
import { backoffMs } from './backoff.ts';
import { brokerError, ClientError } from './client-error.ts';
import type { ClusterClient } from './cluster.ts';
import { meansStaleMetadata } from './cluster.ts';
import type { KafkaConnection } from './connection.ts';
import { ignoreUnreachable } from './leader-call.ts';
import type { ProduceResult, ProducerIdentity } from './produce-batch.ts';
import { estimatedBytes, ProduceBatch } from './produce-batch.ts';
import { mayBeAppended } from './produce-error.ts';

/** What all senders of a producer share. */
export interface SenderContext {
  readonly cluster: ClusterClient;
  readonly clock: Clock;
  readonly acks: -1 | 1;
  readonly lingerMs: Ms;
  readonly batchBytes: number;
  readonly maxInFlight: number;
  readonly deliveryTimeoutMs: Ms;
  readonly requestTimeoutMs: Ms;
  readonly compression: BatchOptions['compression'];
  /** An identity, `renewed` if the one given before is used up; undefined for a producer that does not number. */
  identity(renewed: boolean): Promise<ProducerIdentity | undefined>;
}

const MAX_PRODUCER_EPOCH = 0x7fff;

export class PartitionSender {
  readonly topic: string;
  readonly partition: number;
  readonly #context: SenderContext;
  /** To be sent, in order. Only the last may be unsealed; numbered ones come first. */
  readonly #queue: ProduceBatch[] = [];
  /** Sent and not answered, in order; those that ran out of time meanwhile included. */
  readonly #inFlight: ProduceBatch[] = [];
  /** Answered with something that another attempt may mend, in order. */
  readonly #retry: ProduceBatch[] = [];
  #identity: ProducerIdentity | undefined;
  #identityUsedUp = false;
  #prepared = false;
  #nextSequence = 0;
  /**
   * The leader took a batch under this identity, so that it knows which sequence comes next. One that knows of none takes any: a batch that
   * overtakes a refused first one would come before it in the log.
   */
  #isKnown = false;
  #connection: KafkaConnection | undefined;
  /** A batch failed: send nothing until all in flight are answered. */
  #draining = false;
  /** A numbered batch was given up. */
  #sequenceBroken = false;
  #staleMetadata = false;
  #failures = 0;
  /** Waiting for a leader, a connection, an identity, or the end of a pause. */
  #preparing = false;
  #flushing = false;
  #pumpDue = false;

  constructor(context: SenderContext, topic: string, partition: number) {
    this.#context = context;
    this.topic = topic;
    this.partition = partition;
  }

  /** Takes a record; it goes with others that come before the batch is sent. */
  append(record: NewRecord): Promise<ProduceResult> {
    const bytes = estimatedBytes(record);
    let batch = this.#queue.at(-1);
    if (batch === undefined || batch.sealed || batch.estimatedBytes + bytes > this.#context.batchBytes) {
      if (batch !== undefined) batch.sealed = true;
      batch = this.#openBatch();
    }
    const result = batch.add(record, bytes);
    if (batch.estimatedBytes >= this.#context.batchBytes) batch.sealed = true;
    this.#pumpSoon();
    return result;
  }

  /** Sends what is there without lingering. */
  flush(): void {
    this.#flushing = true;
    this.#pumpSoon();
  }

  #openBatch(): ProduceBatch {
    const { clock, compression, deliveryTimeoutMs, lingerMs } = this.#context;
    const batch = new ProduceBatch(this.topic, this.partition, clock.now(), compression);
    batch.deadline = clock.schedule(deliveryTimeoutMs, () => this.#expire(batch));
    if (lingerMs > 0) {
      batch.linger = clock.schedule(lingerMs, () => {
        batch.sealed = true;
        this.#pump();
      });
    }
    this.#queue.push(batch);
    return batch;
  }

  /** At the end of the current turn, so that records which are sent together travel together. */
  #pumpSoon(): void {
    if (this.#pumpDue) return;
    this.#pumpDue = true;
    void Promise.resolve().then(() => {
      this.#pumpDue = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#preparing) return;
    if (this.#draining) {
      if (this.#inFlight.length > 0) return;
      this.#recover();
    }
    while (this.#inFlight.length < this.#maxInFlight && this.#mayBeSent(this.#queue[0])) {
      if (!this.#prepared || this.#connection === undefined || this.#connection.isClosed) {
        void this.#prepare();
        return;
      }
      const batch = this.#queue.shift();
      if (batch !== undefined) this.#transmit(batch, this.#connection);
    }
    if (this.#queue.length === 0) this.#flushing = false;
  }

  get #maxInFlight(): number {
    return this.#identity === undefined || this.#isKnown ? this.#context.maxInFlight : 1;
  }

  #mayBeSent(batch: ProduceBatch | undefined): boolean {
    return batch !== undefined && (batch.sealed || this.#flushing || this.#context.lingerMs === 0);
  }

  #transmit(batch: ProduceBatch, connection: KafkaConnection): void {
    const { acks, requestTimeoutMs } = this.#context;
    batch.sealed = true;
    batch.linger?.cancel();
    if (this.#identity !== undefined && batch.identity === undefined) {
      batch.number(this.#identity, this.#nextSequence);
      this.#nextSequence = addToSequence(this.#nextSequence, batch.count);
    }
    this.#inFlight.push(batch);
    const partitionData = [{ index: this.partition, records: batch.encode() }];
    connection
      .request(
        produceApi,
        { transactionalId: null, acks, timeoutMs: requestTimeoutMs, topicData: [{ name: this.topic, partitionData }] },
        { timeoutMs: requestTimeoutMs },
      )
      .then(
        (response) => this.#answered(batch, response),
        (error: unknown) => this.#unanswered(batch, error),
      );
  }

  #answered(batch: ProduceBatch, response: ProduceResponse): void {
    const answer = response.responses
      .find(({ name }) => name === this.topic)
      ?.partitionResponses.find(({ index }) => index === this.partition);
    if (answer === undefined) {
      batch.maybeAppended = true;
      this.#giveUp(batch, 'the answer does not mention the partition');
    } else if (answer.errorCode === ErrorCode.NONE) {
      this.#succeeded(batch, answer.baseOffset, answer.logAppendTimeMs);
    } else if (answer.errorCode === ErrorCode.DUPLICATE_SEQUENCE_NUMBER) {
      this.#succeeded(batch, -1, -1);
    } else {
      this.#refused(batch, answer.errorCode, answer.errorMessage);
    }
    this.#settled(batch);
  }

  #succeeded(batch: ProduceBatch, baseOffset: number, logAppendTime: number): void {
    this.#failures = 0;
    if (batch.identity === this.#identity) this.#isKnown = true;
    if (!batch.done) batch.succeed(baseOffset, logAppendTime);
  }

  #refused(batch: ProduceBatch, errorCode: number, message: string | null): void {
    const info = errorInfo(errorCode);
    if (mayBeAppended(errorCode)) batch.maybeAppended = true;
    if (meansStaleMetadata(errorCode)) this.#staleMetadata = true;
    if (info?.retriable || (errorCode === ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER && this.#draining)) {
      // Out of order because a batch before it failed: in order again when that one goes first.
      this.#again(batch, `${errorName(errorCode)}: ${message ?? info?.meaning ?? ''}`);
    } else if (isNumberingError(errorCode) && !batch.maybeAppended && batch.identity !== undefined) {
      this.#sequenceBroken = true;
      this.#again(batch, errorName(errorCode));
    } else {
      const error = brokerError(errorCode, `${this.topic}-${this.partition}`, message);
      this.#giveUp(batch, error.message, { cause: error, kafkaError: error.kafkaError });
    }
  }

  #unanswered(batch: ProduceBatch, error: unknown): void {
    const failure = error instanceof ClientError ? error : undefined;
    if (failure === undefined || failure.maybeSent) batch.maybeAppended = true;
    this.#staleMetadata = true;
    if (failure?.retriable) this.#again(batch, failure.message);
    else this.#giveUp(batch, error instanceof Error ? error.message : String(error), { cause: error });
    this.#settled(batch);
  }

  /** Keeps the batch for another attempt, unless its time has run out. */
  #again(batch: ProduceBatch, reason: string): void {
    this.#draining = true;
    batch.lastProblem = reason;
    if (batch.done) this.#giveUp(batch, reason);
    else this.#retry.push(batch);
  }

  #giveUp(
    batch: ProduceBatch,
    reason: string,
    details: { cause?: unknown; kafkaError?: string | undefined } = {},
  ): void {
    this.#draining = true;
    if (batch.identity !== undefined) this.#sequenceBroken = true;
    if (!batch.done) batch.fail(reason, details);
  }

  #settled(batch: ProduceBatch): void {
    const at = this.#inFlight.indexOf(batch);
    if (at >= 0) this.#inFlight.splice(at, 1);
    this.#pump();
  }

  /** All in flight are answered: puts what has to be repeated in front, numbered anew where the numbering broke. */
  #recover(): void {
    const retry = this.#retry.splice(0);
    this.#queue.unshift(...retry);
    this.#draining = false;
    this.#connection = this.#staleMetadata ? undefined : this.#connection;
    if (retry.length > 0) {
      this.#failures++;
      this.#prepared = false;
    }
    if (!this.#sequenceBroken) return;
    this.#sequenceBroken = false;
    for (const batch of this.#queue.filter(({ identity }) => identity !== undefined)) {
      if (!batch.maybeAppended) {
        batch.unnumber();
        continue;
      }
      this.#queue.splice(this.#queue.indexOf(batch), 1);
      batch.fail('a batch before it was given up, and a repetition could duplicate it');
    }
    this.#nextEpoch();
  }

  #nextEpoch(): void {
    this.#nextSequence = 0;
    this.#isKnown = false;
    const identity = this.#identity;
    if (identity === undefined || identity.producerEpoch >= MAX_PRODUCER_EPOCH) {
      this.#identityUsedUp = identity !== undefined;
      this.#identity = undefined;
      this.#prepared = false;
    } else {
      this.#identity = { ...identity, producerEpoch: identity.producerEpoch + 1 };
    }
  }

  /** Gets what sending needs: after failures a pause and fresh metadata, an identity, the leader, a connection to it. */
  async #prepare(): Promise<void> {
    const { cluster, clock } = this.#context;
    this.#preparing = true;
    try {
      if (this.#failures > 0) await sleep(clock, backoffMs(cluster.deps.random, 'client.produce', this.#failures));
      if (this.#staleMetadata) {
        await cluster.refresh([this.topic]);
        this.#staleMetadata = false;
      }
      this.#identity ??= await this.#context.identity(this.#identityUsedUp);
      this.#identityUsedUp = false;
      const leader = cluster.leaderOf(this.topic, this.partition);
      if (leader === undefined) throw brokerError(ErrorCode.LEADER_NOT_AVAILABLE, `${this.topic}-${this.partition}`);
      this.#connection = await cluster.connectionTo(leader.leaderId);
      this.#prepared = true;
    } catch (error) {
      ignoreUnreachable(error);
      this.#failures++;
      this.#staleMetadata = true;
      if (error instanceof ClientError && !error.retriable) {
        for (const batch of this.#queue.splice(0)) this.#giveUp(batch, error.message, { cause: error });
      }
    } finally {
      this.#preparing = false;
    }
    this.#pump();
  }

  /** The delivery takes too long. What is in flight may still be appended; its answer decides how to go on. */
  #expire(batch: ProduceBatch): void {
    if (batch.done) return;
    if (this.#inFlight.includes(batch)) batch.maybeAppended = true;
    const why = batch.lastProblem === undefined ? '' : `: ${batch.lastProblem}`;
    batch.fail(`not acknowledged within ${this.#context.deliveryTimeoutMs} ms${why}`);
    for (const list of [this.#queue, this.#retry]) {
      const at = list.indexOf(batch);
      if (at < 0) continue;
      list.splice(at, 1);
      if (batch.identity === undefined) continue;
      this.#sequenceBroken = true;
      this.#draining = true;
    }
    this.#pump();
  }
}

/** The broker's memory of this producer does not fit the batch. */
function isNumberingError(errorCode: number): boolean {
  return (
    errorCode === ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER ||
    errorCode === ErrorCode.INVALID_PRODUCER_EPOCH ||
    errorCode === ErrorCode.UNKNOWN_PRODUCER_ID
  );
}
