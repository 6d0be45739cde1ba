// The producer: chooses partitions, collects records into batches, and hands each partition's to its sender. Idempotent
// unless told otherwise, so that a retry never duplicates and never reorders (S-D2, S-D10).
import { assert } from '../base/assert.ts';
import type { Ms } from '../base/ids.ts';
import { initProducerIdApi } from '../protocol/apis/init-producer-id.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { NO_TIMESTAMP } from '../record/batch.ts';
import type { BatchOptions, NewRecord } from '../record/builder.ts';
import type { RecordHeader } from '../record/record.ts';
import { brokerError, ClientError } from './client-error.ts';
import type { ClusterClient } from './cluster.ts';
import type { SenderContext } from './partition-sender.ts';
import { PartitionSender } from './partition-sender.ts';
import { partitionOfKey, RoundRobin } from './partitioner.ts';
import type { ProduceResult, ProducerIdentity } from './produce-batch.ts';
import { ProduceError } from './produce-error.ts';

export interface ProducerOptions {
  /** -1 (default): all in-sync replicas; 1: the leader alone. */
  readonly acks?: -1 | 1;
  /** Default true, which needs `acks` -1. */
  readonly idempotent?: boolean;
  /** How long a batch waits for more records; 0 (default): not at all. */
  readonly lingerMs?: Ms;
  /** Uncompressed size at which a batch is full; default 64 KiB. A larger record travels alone. */
  readonly batchBytes?: number;
  readonly compression?: NonNullable<BatchOptions['compression']>;
  /** From `send` to the last word about the record, retries included; default 120 s. */
  readonly deliveryTimeoutMs?: Ms;
  /** For one attempt; default that of the cluster client. */
  readonly requestTimeoutMs?: Ms;
  /** Batches in flight per partition, 1 to 5 (default 5): brokers remember five. Not idempotent: 1. */
  readonly maxInFlight?: number;
}

export interface OutgoingMessage {
  readonly topic: string;
  /** By key, else round robin, unless given. */
  readonly partition?: number;
  readonly key?: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: readonly RecordHeader[];
  /** Milliseconds since 1970; now unless given. */
  readonly timestamp?: number;
}

interface Waiting {
  readonly message: OutgoingMessage;
  readonly resolve: (result: Promise<ProduceResult>) => void;
  readonly reject: (error: ProduceError) => void;
}

interface TopicState {
  readonly senders: Map<number, PartitionSender>;
  /** Sent before the topic's partitions were known, in order. */
  waiting: Waiting[] | undefined;
}

export class Producer {
  readonly #cluster: ClusterClient;
  readonly #context: SenderContext;
  readonly #idempotent: boolean;
  readonly #topics = new Map<string, TopicState>();
  readonly #roundRobin: RoundRobin;
  #identity: Promise<ProducerIdentity> | undefined;
  #unresolved = 0;
  #flushWaiters: (() => void)[] = [];
  #closed = false;

  constructor(cluster: ClusterClient, options: ProducerOptions = {}) {
    const acks = options.acks ?? -1;
    this.#idempotent = options.idempotent ?? acks === -1;
    assert(!this.#idempotent || acks === -1, 'an idempotent producer needs acks -1');
    const maxInFlight = options.maxInFlight ?? 5;
    assert(maxInFlight >= 1 && maxInFlight <= 5, 'maxInFlight is 1 to 5');
    this.#cluster = cluster;
    this.#roundRobin = new RoundRobin(cluster.deps.random);
    this.#context = {
      cluster,
      clock: cluster.deps.clock,
      acks,
      lingerMs: options.lingerMs ?? 0,
      batchBytes: options.batchBytes ?? 64 * 1024,
      maxInFlight: this.#idempotent ? maxInFlight : 1,
      deliveryTimeoutMs: options.deliveryTimeoutMs ?? 120_000,
      requestTimeoutMs: options.requestTimeoutMs ?? cluster.requestTimeoutMs,
      compression: options.compression,
      identity: (renewed) => (this.#idempotent ? this.#obtainIdentity(renewed) : Promise.resolve(undefined)),
    };
  }

  /** Records that were sent and are not resolved: back-pressure is the caller's to apply. */
  get unresolved(): number {
    return this.#unresolved;
  }

  /** Resolves when the record is acknowledged. ProduceError otherwise, which says whether it may be in the log. */
  async send(message: OutgoingMessage): Promise<ProduceResult> {
    if (this.#closed) throw new ProduceError('failed', 'the producer is closed', {});
    this.#unresolved++;
    try {
      return await this.#dispatch(message);
    } finally {
      this.#unresolved--;
      if (this.#unresolved === 0) for (const resolve of this.#flushWaiters.splice(0)) resolve();
    }
  }

  /** Sends without lingering; resolves when no record is unresolved any more. */
  flush(): Promise<void> {
    if (this.#unresolved === 0) return Promise.resolve();
    this.#flushSenders();
    return new Promise((resolve) => {
      this.#flushWaiters.push(resolve);
    });
  }

  /** Takes no more records and flushes. The cluster client stays open: it is its maker's. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.flush();
  }

  #flushSenders(): void {
    for (const { senders } of this.#topics.values()) for (const sender of senders.values()) sender.flush();
  }

  #dispatch(message: OutgoingMessage): Promise<ProduceResult> {
    const state = this.#stateOf(message.topic);
    if (state.waiting === undefined && this.#cluster.metadata.topic(message.topic) !== undefined) {
      return this.#append(state, message);
    }
    const result = new Promise<ProduceResult>((resolve, reject) => {
      const waiting: Waiting = { message, resolve, reject };
      if (state.waiting === undefined) {
        state.waiting = [waiting];
        void this.#awaitTopic(message.topic, state);
      } else {
        state.waiting.push(waiting);
      }
    });
    return result;
  }

  #stateOf(topic: string): TopicState {
    let state = this.#topics.get(topic);
    if (state === undefined) {
      state = { senders: new Map(), waiting: undefined };
      this.#topics.set(topic, state);
    }
    return state;
  }

  /** Holds a topic's records back, in order, until its partitions are known. */
  async #awaitTopic(topic: string, state: TopicState): Promise<void> {
    let failure: ProduceError | undefined;
    try {
      await this.#cluster.topic(topic, Math.min(this.#context.deliveryTimeoutMs, 60_000));
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      const { message, kafkaError } = error;
      failure = new ProduceError('failed', `not sent: ${message}`, { cause: error, kafkaError });
    }
    const waiting = state.waiting ?? [];
    state.waiting = undefined;
    for (const { message, resolve, reject } of waiting) {
      if (failure === undefined) resolve(this.#append(state, message));
      else reject(failure);
    }
    if (this.#flushWaiters.length > 0) this.#flushSenders();
  }

  #append(state: TopicState, message: OutgoingMessage): Promise<ProduceResult> {
    const { topic, key } = message;
    const partitions = this.#cluster.metadata.topic(topic)?.partitions.length ?? 0;
    if (partitions === 0) return Promise.reject(new ProduceError('failed', `topic ${topic} is gone`, {}));
    const byKey = key === undefined || key === null ? undefined : partitionOfKey(key, partitions);
    const partition = message.partition ?? byKey ?? this.#roundRobin.next(topic, partitions);
    if (partition < 0 || partition >= partitions) {
      const reason = `topic ${topic} has partitions 0 to ${partitions - 1}, not ${partition}`;
      return Promise.reject(new ProduceError('failed', reason, { kafkaError: 'UNKNOWN_TOPIC_OR_PARTITION' }));
    }
    const record = recordOf(message, this.#context.clock.wallTime());
    if (!Number.isSafeInteger(record.timestamp) || record.timestamp < NO_TIMESTAMP) {
      return Promise.reject(new ProduceError('failed', `timestamp ${record.timestamp} is not one`, {}));
    }
    let sender = state.senders.get(partition);
    if (sender === undefined) {
      sender = new PartitionSender(this.#context, topic, partition);
      state.senders.set(partition, sender);
    }
    return sender.append(record);
  }

  /** One identity for all partitions: brokers keep sequences apart by partition. */
  #obtainIdentity(renewed: boolean): Promise<ProducerIdentity> {
    if (renewed) this.#identity = undefined;
    if (this.#identity === undefined) {
      const obtaining = this.#initProducerId();
      this.#identity = obtaining;
      obtaining.catch(() => {
        if (this.#identity === obtaining) this.#identity = undefined;
      });
    }
    return this.#identity;
  }

  async #initProducerId(): Promise<ProducerIdentity> {
    const connection = await this.#cluster.anyConnection();
    const request = { transactionalId: null, transactionTimeoutMs: 0x7fff_ffff };
    const { errorCode, producerId, producerEpoch } = await connection.request(initProducerIdApi, request);
    if (errorCode !== ErrorCode.NONE) throw brokerError(errorCode, 'producer id');
    return { producerId, producerEpoch };
  }
}

function recordOf(message: OutgoingMessage, now: number): NewRecord {
  const { key = null, value, headers = [], timestamp = now } = message;
  return { key, value, headers, timestamp };
}
