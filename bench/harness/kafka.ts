// The Kafka requests that the load consists of, encoded once by the project's own codecs, and the checks on their answers.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Uuid } from '../../src/base/uuid.ts';
import type { ApiDefinition } from '../../src/protocol/api.ts';
import { apiVersionsApi } from '../../src/protocol/apis/api-versions.ts';
import { createTopicsApi } from '../../src/protocol/apis/create-topics.ts';
import { deleteTopicsApi } from '../../src/protocol/apis/delete-topics.ts';
import { fetchApi } from '../../src/protocol/apis/fetch.ts';
import { produceApi } from '../../src/protocol/apis/produce.ts';
import { ErrorCode } from '../../src/protocol/error-codes.ts';
import { decodeResponseFrame, encodeRequestFrame } from '../../src/protocol/frame.ts';
import { buildBatch } from '../../src/record/builder.ts';
import { splitBatches } from '../../src/record/scan.ts';
import type { FrameClient } from './frame-client.ts';

export interface Topic {
  readonly name: string;
  readonly id: Uuid;
}

const TIMEOUT_MS = 30_000;
const HEADER = { correlationId: 1, clientId: 'bench' };

/** A question that any broker answers. */
export function apiVersionsRequest(): Buffer {
  const request = { clientSoftwareName: 'bench', clientSoftwareVersion: '1' };
  return Buffer.concat(
    encodeRequestFrame(apiVersionsApi, { apiVersion: apiVersionsApi.maxVersion, ...HEADER }, request),
  );
}

/** Asks in the latest version that we know. */
export async function ask<Req, Res, ReqInput, ResInput>(
  client: FrameClient,
  api: ApiDefinition<Req, Res, ReqInput, ResInput>,
  request: ReqInput,
): Promise<Res> {
  const apiVersion = api.maxVersion;
  const answer = await client.call(Buffer.concat(encodeRequestFrame(api, { apiVersion, ...HEADER }, request)));
  return decodeResponseFrame(api, apiVersion, answer).response;
}

export interface Shape {
  readonly numPartitions: number;
  readonly replicationFactor: number;
  /** By Kafka's names. */
  readonly configs?: Readonly<Record<string, string>>;
}

let topics = 0;

/** A new topic, which nobody need lead yet. */
export async function createTopicOf(
  client: FrameClient,
  { numPartitions, replicationFactor, configs = {} }: Shape,
): Promise<Topic> {
  const name = `bench-${++topics}`;
  const wanted = {
    name,
    numPartitions,
    replicationFactor,
    configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
  };
  const response = await ask(client, createTopicsApi, { timeoutMs: TIMEOUT_MS, topics: [wanted] });
  const [created] = response.topics;
  if (created?.errorCode !== ErrorCode.NONE) throw new Error(`topic ${name}: ${created?.errorMessage}`);
  return { name, id: created.topicId };
}

/** A new topic with one partition that takes records. */
export async function createTopic(client: FrameClient): Promise<Topic> {
  const topic = await createTopicOf(client, { numPartitions: 1, replicationFactor: 1 });
  const probe = fetchRequest(topic, 0, 1);
  const deadline = performance.now() + TIMEOUT_MS;
  for (;;) {
    const { errorCode } = partitionOf(await client.call(probe));
    if (errorCode === ErrorCode.NONE) return topic;
    if (performance.now() > deadline) throw new Error(`topic ${topic.name} is not served: error ${errorCode}`);
    await sleep(10);
  }
}

export async function deleteTopic(client: FrameClient, { name }: Topic): Promise<void> {
  await ask(client, deleteTopicsApi, { timeoutMs: TIMEOUT_MS, topics: [{ name }] });
}

const RECORD_BYTES = 1000;
/** What a record takes beside its value, at most. */
const RECORD_OVERHEAD = 24;

/** A batch of about `size` bytes, never more: records of 1000 random bytes, which nothing can compress. */
export function randomBatch(size: number): Buffer {
  const count = Math.floor((size - 61) / (RECORD_BYTES + RECORD_OVERHEAD));
  const timestamp = Date.now();
  return buildBatch(
    Array.from({ length: count }, () => ({ timestamp, key: null, value: randomBytes(RECORD_BYTES), headers: [] })),
  );
}

/** A whole Produce frame. It is sent again and again: without a producer id every time is another write. */
export function produceRequest(topic: Topic, batch: Buffer, index = 0, acks: 1 | -1 = 1): Buffer {
  const apiVersion = produceApi.maxVersion;
  const topicData = [{ name: topic.name, partitionData: [{ index, records: batch }] }];
  const request = { acks, timeoutMs: TIMEOUT_MS, topicData };
  return Buffer.concat(encodeRequestFrame(produceApi, { apiVersion, ...HEADER }, request));
}

/** Throws unless the batch was written. */
export function checkProduced(frame: Buffer): void {
  const { response } = decodeResponseFrame(produceApi, produceApi.maxVersion, frame);
  const answer = response.responses[0]?.partitionResponses[0];
  if (answer?.errorCode !== ErrorCode.NONE) throw new Error(`produce failed: ${answer?.errorMessage}`);
}

/** A whole Fetch frame for what is there now. */
function fetchRequest(topic: Topic, fetchOffset: number, maxBytes: number): Buffer {
  const apiVersion = fetchApi.maxVersion;
  const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: maxBytes }];
  const request = { maxWaitMs: 0, minBytes: 1, maxBytes, topics: [{ topicId: topic.id, partitions }] };
  return Buffer.concat(encodeRequestFrame(fetchApi, { apiVersion, ...HEADER }, request));
}

function partitionOf(frame: Buffer): { readonly errorCode: number; readonly records: Buffer } {
  const { response } = decodeResponseFrame(fetchApi, fetchApi.maxVersion, frame);
  const partition = response.responses[0]?.partitions[0];
  if (partition === undefined) return { errorCode: response.errorCode, records: Buffer.alloc(0) };
  const { errorCode } = partition;
  return { errorCode, records: partition.records ?? Buffer.alloc(0) };
}

/**
 * Reads a topic from its beginning to its end, over and over: the first request, and a function that checks an answer, tells
 * how many bytes of records it brought and what to ask next.
 */
export function readOver(topic: Topic, maxBytes: number) {
  const first = fetchRequest(topic, 0, maxBytes);
  function take(answer: Buffer): { readonly bytes: number; readonly next: Buffer } {
    const { errorCode, records } = partitionOf(answer);
    if (errorCode !== ErrorCode.NONE) throw new Error(`fetch failed with error ${errorCode}`);
    let nextOffset = 0;
    for (const batch of splitBatches(records)) ({ nextOffset } = batch);
    return { bytes: records.length, next: nextOffset === 0 ? first : fetchRequest(topic, nextOffset, maxBytes) };
  }
  return { first, take };
}
