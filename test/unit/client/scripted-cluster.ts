// A tiny Kafka cluster for the client's tests: several listeners over one shared log per partition, built from our own
// protocol codecs. It checks idempotent sequences as a broker does, and a script may bend any answer.

import { KeyedRandom } from '../../../src/base/keyed-random.ts';
import { ZERO_UUID } from '../../../src/base/uuid.ts';
import type { ClientDeps } from '../../../src/client/cluster.ts';
import { FrameSplitter } from '../../../src/client/frame-splitter.ts';
import type { Clock } from '../../../src/env/clock.ts';
import type { Address, ByteStream, Listener } from '../../../src/env/network.ts';
import { createClock } from '../../../src/node/clock.ts';
import { createLogger } from '../../../src/node/logger.ts';
import { createNetwork } from '../../../src/node/network.ts';
import type { AnyApi } from '../../../src/protocol/api.ts';
import { apiVersionsApi } from '../../../src/protocol/apis/api-versions.ts';
import type { CreateTopicsRequest } from '../../../src/protocol/apis/create-topics.ts';
import { createTopicsApi } from '../../../src/protocol/apis/create-topics.ts';
import type { DeleteRecordsRequest } from '../../../src/protocol/apis/delete-records.ts';
import { deleteRecordsApi } from '../../../src/protocol/apis/delete-records.ts';
import type { DeleteTopicsRequest } from '../../../src/protocol/apis/delete-topics.ts';
import { deleteTopicsApi } from '../../../src/protocol/apis/delete-topics.ts';
import { describeClusterApi } from '../../../src/protocol/apis/describe-cluster.ts';
import type { FetchRequest } from '../../../src/protocol/apis/fetch.ts';
import { fetchApi } from '../../../src/protocol/apis/fetch.ts';
import { initProducerIdApi } from '../../../src/protocol/apis/init-producer-id.ts';
import type { ListOffsetsRequest } from '../../../src/protocol/apis/list-offsets.ts';
import { listOffsetsApi } from '../../../src/protocol/apis/list-offsets.ts';
import type { MetadataRequest } from '../../../src/protocol/apis/metadata.ts';
import { metadataApi } from '../../../src/protocol/apis/metadata.ts';
import type { ProduceRequest } from '../../../src/protocol/apis/produce.ts';
import { produceApi } from '../../../src/protocol/apis/produce.ts';
import type { ErrorName } from '../../../src/protocol/error-codes.ts';
import { ErrorCode } from '../../../src/protocol/error-codes.ts';
import { decodeRequestFrame, encodeResponseFrame } from '../../../src/protocol/frame.ts';
import { advertisedVersions } from '../../../src/protocol/registry.ts';
import { addToSequence, BatchHeader, setBaseOffset, setPartitionLeaderEpoch } from '../../../src/record/batch.ts';
import type { KafkaRecord } from '../../../src/record/record.ts';
import { decodeRecords } from '../../../src/record/record.ts';
import { validateBatch } from '../../../src/record/validate.ts';

const logger = createLogger({ level: 'error' });
export const network = createNetwork(logger);

/**
 * The client's world: real network, random draws from one seed, and a clock that runs `speed` times as fast as the real one, so
 * that pauses between attempts do not make tests slow.
 */
export function testDeps(speed = 1, seed = 7): ClientDeps {
  const real = createClock();
  const clock: Clock = {
    now: () => real.now() * speed,
    wallTime: () => real.wallTime(),
    schedule: (delayMs, callback) => real.schedule(delayMs / speed, callback),
  };
  return { network, clock, random: new KeyedRandom(seed) };
}

/**
 * `refuse`: answer the partition with the error, do nothing. `refuse-late`: do it, then answer with the error.
 * `cut`: close the connection instead. `cut-late`: do it, then close. `mute`: do it, and never answer
 * on this connection again.
 */
export type Bend =
  | { readonly kind: 'refuse' | 'refuse-late'; readonly error: ErrorName }
  | { readonly kind: 'cut' | 'cut-late' | 'mute' };

interface ProducerState {
  epoch: number;
  lastSequence: number;
  recent: { first: number; last: number; baseOffset: number }[];
}

export class ScriptedPartition {
  leader: number;
  leaderEpoch = 0;
  startOffset = 0;
  endOffset = 0;
  batches: Buffer[] = [];
  /** Answered to fetches that name an epoch, once it is set. */
  diverging: { epoch: number; endOffset: number } | undefined;
  readonly producers = new Map<number, ProducerState>();

  constructor(leader: number) {
    this.leader = leader;
  }

  get records(): KafkaRecord[] {
    return this.batches.flatMap((batch) => decodeRecords(new BatchHeader(batch)));
  }

  get values(): string[] {
    return this.records.map(({ value }) => value?.toString() ?? 'null');
  }

  /** As a leader does: duplicates by T-1.2, gaps and old epochs by T-1.3; of a producer that it does not know any sequence is the first. */
  append(bytes: Buffer): { error: ErrorName; baseOffset: number } {
    const refusal = validateBatch(bytes, 1_000_000);
    if (refusal !== undefined) return { error: refusal.error, baseOffset: -1 };
    const batch = new BatchHeader(Buffer.from(bytes));
    if (batch.hasProducerId) {
      const known = this.producers.get(batch.producerId);
      const same = known?.recent.find(({ first, last }) => first === batch.baseSequence && last === batch.lastSequence);
      if (known !== undefined && known.epoch === batch.producerEpoch) {
        if (same !== undefined) return { error: 'NONE', baseOffset: same.baseOffset };
        if (batch.baseSequence !== addToSequence(known.lastSequence, 1)) {
          return { error: 'OUT_OF_ORDER_SEQUENCE_NUMBER', baseOffset: -1 };
        }
      } else if (known !== undefined && batch.producerEpoch < known.epoch) {
        return { error: 'INVALID_PRODUCER_EPOCH', baseOffset: -1 };
      } else if (known !== undefined && batch.baseSequence !== 0) {
        return { error: 'OUT_OF_ORDER_SEQUENCE_NUMBER', baseOffset: -1 };
      }
      const recent = known?.epoch === batch.producerEpoch ? known.recent : [];
      recent.push({ first: batch.baseSequence, last: batch.lastSequence, baseOffset: this.endOffset });
      this.producers.set(batch.producerId, {
        epoch: batch.producerEpoch,
        lastSequence: batch.lastSequence,
        recent: recent.slice(-5),
      });
    }
    setBaseOffset(batch.buffer, this.endOffset);
    setPartitionLeaderEpoch(batch.buffer, this.leaderEpoch);
    const baseOffset = this.endOffset;
    this.endOffset = batch.nextOffset;
    this.batches.push(batch.buffer);
    return { error: 'NONE', baseOffset };
  }
}

interface ScriptedTopic {
  topicId: string;
  readonly partitions: ScriptedPartition[];
}

const SERVED: readonly AnyApi[] = [
  produceApi,
  fetchApi,
  listOffsetsApi,
  metadataApi,
  apiVersionsApi,
  initProducerIdApi,
  createTopicsApi,
  deleteTopicsApi,
  deleteRecordsApi,
  describeClusterApi,
];

export class ScriptedCluster {
  readonly topics = new Map<string, ScriptedTopic>();
  readonly addresses = new Map<number, Address>();
  readonly requests: { broker: number; api: string; version: number }[] = [];
  served = SERVED;
  maxApiVersions = apiVersionsApi.maxVersion;
  /** Asked about every request but ApiVersions. */
  script: (broker: number, api: string, request: object) => Bend | undefined = () => undefined;
  readonly #listeners = new Map<number, Listener>();
  readonly #fetchWaiters = new Set<() => void>();
  #nextProducerId = 1000;

  async start(...ids: number[]): Promise<this> {
    for (const id of ids) {
      const port = this.addresses.get(id)?.port ?? 0;
      const listener = await network.listen({ host: '127.0.0.1', port }, (stream) => this.#serve(id, stream));
      this.#listeners.set(id, listener);
      this.addresses.set(id, listener.address);
    }
    return this;
  }

  async stop(...ids: number[]): Promise<void> {
    const which = ids.length > 0 ? ids : [...this.#listeners.keys()];
    this.wakeFetches();
    await Promise.all(which.map((id) => this.#listeners.get(id)?.close() ?? Promise.resolve()));
    for (const id of which) this.#listeners.delete(id);
  }

  addTopic(name: string, leaders: readonly number[], topicId = `${name.padEnd(21, '_')}A`): ScriptedPartition[] {
    const partitions = leaders.map((leader) => new ScriptedPartition(leader));
    this.topics.set(name, { topicId, partitions });
    return partitions;
  }

  /** Answers the fetches that wait, as new records, a new leader or the end of the wait would. */
  wakeFetches(): void {
    for (const wake of this.#fetchWaiters) wake();
    this.#fetchWaiters.clear();
  }

  #serve(id: number, stream: ByteStream) {
    const splitter = new FrameSplitter(10_000_000);
    const peer = { stream, muted: false };
    let last: Promise<void> = Promise.resolve();
    return {
      // One after the other, answers in order.
      data: (chunk: Buffer): void =>
        splitter.push(chunk, (frame) => {
          last = last.then(() => this.#handle(id, peer, frame));
        }),
      closed: (): void => {},
    };
  }

  async #handle(id: number, peer: { stream: ByteStream; muted: boolean }, frame: Buffer): Promise<void> {
    const { stream } = peer;
    const { header, api, reader } = decodeRequestFrame(frame);
    if (api === undefined) return stream.close('abort');
    const { apiVersion: version, correlationId } = header;
    this.requests.push({ broker: id, api: api.name, version });
    const write = (response: object, at = version): void =>
      stream.write(encodeResponseFrame(api, at, correlationId, response));
    if (api.key === apiVersionsApi.key) return this.#answerVersions(version, write);
    const request = api.decodeRequest(version, reader);
    const bend = this.script(id, api.name, request);
    if (bend?.kind === 'cut') return stream.close('abort');
    const response = await this.#respond(id, api, request, bend);
    if (bend?.kind === 'cut-late') return stream.close('abort');
    if (bend?.kind === 'mute') peer.muted = true;
    if (!peer.muted) write(response);
  }

  #answerVersions(version: number, write: (response: object, at?: number) => void): void {
    const apiKeys = advertisedVersions(this.served).map((served) =>
      served.apiKey === apiVersionsApi.key ? { ...served, maxVersion: this.maxApiVersions } : served,
    );
    if (version > this.maxApiVersions) write({ errorCode: ErrorCode.UNSUPPORTED_VERSION, apiKeys }, 0);
    else write({ errorCode: 0, apiKeys });
  }

  async #respond(id: number, api: AnyApi, request: object, bend: Bend | undefined): Promise<object> {
    switch (api.key) {
      case metadataApi.key:
        return this.#metadata(request as MetadataRequest);
      case produceApi.key:
        return this.#produce(id, request as ProduceRequest, bend);
      case fetchApi.key:
        return await this.#fetch(id, request as FetchRequest, bend);
      case listOffsetsApi.key:
        return this.#listOffsets(request as ListOffsetsRequest, bend);
      case deleteRecordsApi.key:
        return this.#deleteRecords(id, request as DeleteRecordsRequest, bend);
      case initProducerIdApi.key:
        return { errorCode: 0, producerId: this.#nextProducerId++, producerEpoch: 0 };
      case createTopicsApi.key:
        return { topics: (request as CreateTopicsRequest).topics.map((topic) => this.#createTopic(topic)) };
      case deleteTopicsApi.key:
        return { responses: (request as DeleteTopicsRequest).topics.map(({ name }) => this.#deleteTopic(name ?? '')) };
      case describeClusterApi.key: {
        const brokers = [...this.addresses].map(([brokerId, address]) => ({ brokerId, ...address }));
        return { errorCode: 0, clusterId: 'scripted', controllerId: 1, brokers };
      }
      default:
        throw new Error(`no answer to ${api.name}`);
    }
  }

  #createTopic({ name, numPartitions }: CreateTopicsRequest['topics'][number]): object {
    if (this.topics.has(name)) return { name, errorCode: ErrorCode.TOPIC_ALREADY_EXISTS, errorMessage: 'it is there' };
    this.addTopic(
      name,
      Array.from({ length: Math.max(1, numPartitions) }, () => 1),
    );
    return { name, errorCode: 0, errorMessage: null, topicId: this.topics.get(name)?.topicId };
  }

  #deleteTopic(name: string): object {
    return { name, errorCode: this.topics.delete(name) ? 0 : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION };
  }

  #metadata(request: MetadataRequest): object {
    const names = request.topics?.map(({ name }) => name ?? '') ?? [...this.topics.keys()];
    const brokers = [...this.#listeners.keys()].map((nodeId) => ({
      nodeId,
      ...(this.addresses.get(nodeId) as Address),
    }));
    const topics = names.map((name) => {
      const topic = this.topics.get(name);
      if (topic === undefined) return { errorCode: 3, name, topicId: ZERO_UUID, partitions: [] };
      const partitions = topic.partitions.map(({ leader, leaderEpoch }, partitionIndex) => {
        const alive = this.#listeners.has(leader);
        const leaderId = alive ? leader : -1;
        return {
          errorCode: alive ? 0 : 5,
          partitionIndex,
          leaderId,
          leaderEpoch,
          replicaNodes: [],
          isrNodes: [],
          offlineReplicas: [],
        };
      });
      return { errorCode: 0, name, topicId: topic.topicId, partitions };
    });
    return { brokers, clusterId: 'scripted', controllerId: -1, topics };
  }

  #partitionOf(name: string, index: number): ScriptedPartition | undefined {
    return this.topics.get(name)?.partitions[index];
  }

  #produce(id: number, request: ProduceRequest, bend: Bend | undefined): object {
    const responses = request.topicData.map(({ name, partitionData }) => ({
      name,
      partitionResponses: partitionData.map(({ index, records }) => {
        const partition = this.#partitionOf(name, index);
        let error: ErrorName = 'NONE';
        let baseOffset = -1;
        if (bend?.kind === 'refuse') error = bend.error;
        else if (partition === undefined) error = 'UNKNOWN_TOPIC_OR_PARTITION';
        else if (partition.leader !== id) error = 'NOT_LEADER_OR_FOLLOWER';
        else ({ error, baseOffset } = partition.append(records ?? Buffer.alloc(0)));
        if (bend?.kind === 'refuse-late') error = bend.error;
        return { index, errorCode: ErrorCode[error], baseOffset };
      }),
    }));
    this.wakeFetches();
    return { responses };
  }

  async #fetch(id: number, request: FetchRequest, bend: Bend | undefined): Promise<object> {
    let response = this.#fetchNow(id, request, bend);
    if (response.empty) {
      await new Promise<void>((resolve) => {
        this.#fetchWaiters.add(resolve);
        setTimeout(resolve, request.maxWaitMs).unref();
      });
      response = this.#fetchNow(id, request, bend);
    }
    return { responses: response.responses };
  }

  #fetchNow(id: number, request: FetchRequest, bend: Bend | undefined): { responses: object[]; empty: boolean } {
    let empty = true;
    const responses = request.topics.map(({ topic, topicId, partitions }) => {
      const name = topic !== '' ? topic : [...this.topics].find(([, known]) => known.topicId === topicId)?.[0];
      return {
        topic,
        topicId,
        partitions: partitions.map((asked) => {
          const partition = name === undefined ? undefined : this.#partitionOf(name, asked.partition);
          const answer = answerFetch(id, partition, asked, bend);
          if (answer.errorCode !== 0 || answer.records.length > 0 || answer.divergingEpoch !== undefined) empty = false;
          return { partitionIndex: asked.partition, abortedTransactions: null, ...answer };
        }),
      };
    });
    return { responses, empty };
  }

  #deleteRecords(id: number, request: DeleteRecordsRequest, bend: Bend | undefined): object {
    const topics = request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex, offset }) => {
        const partition = this.#partitionOf(name, partitionIndex);
        const failed = (error: ErrorName) => ({ partitionIndex, lowWatermark: -1, errorCode: ErrorCode[error] });
        if (bend?.kind === 'refuse') return failed(bend.error);
        if (partition === undefined) return failed('UNKNOWN_TOPIC_OR_PARTITION');
        if (partition.leader !== id) return failed('NOT_LEADER_OR_FOLLOWER');
        if (offset > partition.endOffset) return failed('OFFSET_OUT_OF_RANGE');
        partition.startOffset = offset === -1 ? partition.endOffset : Math.max(partition.startOffset, Number(offset));
        return { partitionIndex, lowWatermark: partition.startOffset, errorCode: 0 };
      }),
    }));
    return { topics };
  }

  #listOffsets(request: ListOffsetsRequest, bend: Bend | undefined): object {
    const topics = request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex, timestamp }) => {
        const partition = this.#partitionOf(name, partitionIndex);
        if (bend?.kind === 'refuse') return { partitionIndex, errorCode: ErrorCode[bend.error] };
        if (partition === undefined) return { partitionIndex, errorCode: 3 };
        const { startOffset, endOffset } = partition;
        if (timestamp < 0) return { partitionIndex, errorCode: 0, offset: timestamp === -2 ? startOffset : endOffset };
        const found = partition.records.find((record) => record.timestamp >= timestamp);
        return { partitionIndex, errorCode: 0, offset: found?.offset ?? -1, timestamp: found?.timestamp ?? -1 };
      }),
    }));
    return { topics };
  }
}

function answerFetch(
  id: number,
  partition: ScriptedPartition | undefined,
  asked: FetchRequest['topics'][number]['partitions'][number],
  bend: Bend | undefined,
) {
  const failed = (error: ErrorName) => ({
    errorCode: ErrorCode[error],
    highWatermark: -1,
    records: Buffer.alloc(0),
    divergingEpoch: undefined,
  });
  if (bend?.kind === 'refuse') return failed(bend.error);
  if (partition === undefined) return failed('UNKNOWN_TOPIC_ID');
  if (partition.leader !== id) return failed('NOT_LEADER_OR_FOLLOWER');
  if (asked.currentLeaderEpoch < partition.leaderEpoch) return failed('FENCED_LEADER_EPOCH');
  const offset = Number(asked.fetchOffset);
  const { startOffset, endOffset, diverging } = partition;
  if (diverging !== undefined && asked.lastFetchedEpoch >= 0) {
    return { ...failed('NONE'), divergingEpoch: diverging };
  }
  if (offset < startOffset || offset > endOffset) return failed('OFFSET_OUT_OF_RANGE');
  const batches = partition.batches.filter((batch) => new BatchHeader(batch).lastOffset >= offset);
  // At least one batch, and a cut one at the limit, as older brokers send it.
  const all = Buffer.concat(batches);
  const first = batches[0]?.length ?? 0;
  const records = all.subarray(0, Math.max(first, asked.partitionMaxBytes));
  return { errorCode: 0, highWatermark: endOffset, records, divergingEpoch: undefined };
}
