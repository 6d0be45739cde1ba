// One whole node (controller and broker) in a simulated world, and a client that speaks frames: what is tested is what ships,
// and the test decides how slow or broken the disk is.
import { expect } from 'vitest';
import { must } from '../../../src/base/assert.ts';
import type { NodeConfig } from '../../../src/config/node-config.ts';
import { parseNodeConfig } from '../../../src/config/node-config.ts';
import type { Env } from '../../../src/env/env.ts';
import type { ByteStream } from '../../../src/env/network.ts';
import type { ApiDefinition } from '../../../src/protocol/api.ts';
import { createTopicsApi } from '../../../src/protocol/apis/create-topics.ts';
import { metadataApi } from '../../../src/protocol/apis/metadata.ts';
import type { ProduceResponse } from '../../../src/protocol/apis/produce.ts';
import { produceApi } from '../../../src/protocol/apis/produce.ts';
import { decodeResponseFrame, encodeRequestFrame, peekCorrelationId } from '../../../src/protocol/frame.ts';
import { encodeRequestHeader } from '../../../src/protocol/header.ts';
import { MessageWriter } from '../../../src/protocol/message-writer.ts';
import type { BatchOptions } from '../../../src/record/builder.ts';
import { buildBatch } from '../../../src/record/builder.ts';
import type { Node } from '../../../src/server/node.ts';
import { startNode } from '../../../src/server/node.ts';
import { foldersOf, formatStorage } from '../../../src/server/storage.ts';
import type { SimProcess } from '../../../src/sim/process/process.ts';
import { World } from '../../../src/sim/world/world.ts';

export const CLUSTER_ID = 'AAAAAAAAAAAAAAAAAAAAAQ';
const LIMIT_MS = 3_600_000;

/** The configuration of a node that is all of its cluster, reached at host `node`. */
export function configText(keys: Readonly<Record<string, string>> = {}): string {
  const all = {
    'node.id': '1',
    'process.roles': 'controller,broker',
    'controller.quorum.voters': '1@node:9093',
    listeners: 'PLAINTEXT://node:9092,CONTROLLER://node:9093,GRPC://node:9094',
    'log.dirs': '/data',
    'timing.profile': 'dev',
    ...keys,
  };
  return Object.entries(all)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n');
}

export function parsed(text: string): NodeConfig {
  const result = parseNodeConfig(text);
  if (!result.ok) throw new Error(result.errors.join('; '));
  return result.config;
}

/** Formats and starts a node; resolves when it serves. */
export async function startOn(env: Env, config: NodeConfig): Promise<Node> {
  await formatStorage(env, config, CLUSTER_ID);
  const node = await startNode(env, config, {
    fatal: (reason, cause) => {
      throw new Error(`the node stopped: ${reason}`, { cause });
    },
  });
  expect(await node.ready).toBe(true);
  return node;
}

export interface Bench {
  readonly world: World;
  /** The process of the node: its disk and its life. */
  readonly host: SimProcess;
  readonly node: Node;
  /** Stops the node and starts it again on its disk; `node` stays the first one. */
  readonly restart: () => Promise<Node>;
  /** The client's world. */
  readonly env: Env;
  /** To the broker at that host, `node` if not given. */
  readonly connect: (host?: string) => Promise<Wire>;
  /** Connected, with the topics created. */
  readonly connectWith: (topics: Readonly<Record<string, TopicSpec>>) => Promise<Wire>;
}

export interface TopicSpec {
  readonly partitions?: number;
  readonly configs?: Readonly<Record<string, string>>;
}

/** Runs `body` as a client of a node that serves. */
export async function withNode(
  body: (bench: Bench) => Promise<void>,
  keys: Record<string, string> = {},
): Promise<void> {
  const world = new World({ seed: 1 });
  const host = world.process('node');
  const config = parsed(configText(keys));
  for (const folder of foldersOf(config)) host.disk.provision(folder);
  const boot = (): Promise<Node> =>
    new Promise((resolve) => {
      host.start(async (env) => resolve(await startOn(env, config)));
    });
  let started: Node | undefined;
  void boot().then((node) => {
    started = node;
  });
  await world.runUntil(() => started !== undefined, LIMIT_MS, 'the node serves');
  const node = must(started, 'the node');
  const restart = async (): Promise<Node> => {
    await node.stop();
    host.kill();
    return boot();
  };
  await world.run('client', LIMIT_MS, async (env) => {
    const connect = (at = 'node'): Promise<Wire> => Wire.open(env, at);
    const connectWith = async (topics: Readonly<Record<string, TopicSpec>>): Promise<Wire> => {
      const wire = await connect();
      await wire.createTopics(topics);
      return wire;
    };
    await body({ world, host, node, env, connect, connectWith, restart });
  });
}

interface Waiting {
  readonly correlationId: number;
  resolve(frame: Buffer): void;
  reject(error: Error): void;
}

/** A connection as bytes: frames out, frames in, in order. */
export class Wire {
  readonly stream: ByteStream;
  /** Correlation ids of the answers, in the order they came. */
  readonly answered: number[] = [];
  closed = false;
  readonly #waiting: Waiting[] = [];
  #onClosed: (() => void)[] = [];
  #chunks: Buffer[] = [];
  #received = 0;
  #nextCorrelationId = 100;

  private constructor(stream: ByteStream) {
    this.stream = stream;
  }

  static async open(env: Env, host: string): Promise<Wire> {
    let wire: Wire | undefined;
    await env.network.connect({ host, port: 9092 }, 10_000, (stream) => {
      const opened = new Wire(stream);
      wire = opened;
      return { data: (chunk) => opened.#take(chunk), closed: () => opened.#end() };
    });
    if (wire === undefined) throw new Error('not attached');
    return wire;
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(Buffer.from(chunk));
    this.#received += chunk.length;
    for (;;) {
      const size = this.#received < 4 ? undefined : this.#joined(4).readInt32BE(0);
      if (size === undefined || this.#received < 4 + size) return;
      const bytes = this.#joined(4 + size);
      this.#chunks[0] = bytes.subarray(4 + size);
      this.#received -= 4 + size;
      const frame = bytes.subarray(4, 4 + size);
      const correlationId = peekCorrelationId(frame);
      this.answered.push(correlationId);
      const at = this.#waiting.findIndex((waiting) => waiting.correlationId === correlationId);
      this.#waiting.splice(at, 1)[0]?.resolve(frame);
    }
  }

  /** What came, with at least `size` bytes in one piece at its start. */
  #joined(size: number): Buffer {
    if ((this.#chunks[0]?.length ?? 0) < size) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] as Buffer;
  }

  #end(): void {
    this.closed = true;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(new Error('the broker closed the connection'));
    for (const tell of this.#onClosed.splice(0)) tell();
  }

  untilClosed(): Promise<void> {
    if (this.closed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onClosed.push(resolve);
    });
  }

  send(bytes: readonly Uint8Array[]): void {
    this.stream.write(bytes);
  }

  /** The next answer frame with that id, size not included. */
  frameOf(correlationId: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ correlationId, resolve, reject });
    });
  }

  /** Sends a request of which no answer is expected. */
  tell<Req, Res, ReqInput, ResInput>(
    api: ApiDefinition<Req, Res, ReqInput, ResInput>,
    version: number,
    request: ReqInput,
  ): void {
    this.send(this.#encode(api, version, request).frame);
  }

  #encode<Req, Res, ReqInput, ResInput>(
    api: ApiDefinition<Req, Res, ReqInput, ResInput>,
    apiVersion: number,
    request: ReqInput,
  ): { header: number; frame: Buffer[] } {
    const correlationId = this.#nextCorrelationId++;
    const header = { apiVersion, correlationId, clientId: 'wire' };
    return { header: correlationId, frame: encodeRequestFrame(api, header, request) };
  }

  /** Sends a request and resolves with its decoded answer. */
  async ask<Req, Res, ReqInput, ResInput>(
    api: ApiDefinition<Req, Res, ReqInput, ResInput>,
    version: number,
    request: ReqInput,
  ): Promise<Res> {
    const { header, frame } = this.#encode(api, version, request);
    const answer = this.frameOf(header);
    this.send(frame);
    return decodeResponseFrame(api, version, await answer).response;
  }

  async createTopics(topics: Readonly<Record<string, TopicSpec>>): Promise<void> {
    const { topics: results } = await this.ask(createTopicsApi, 7, {
      timeoutMs: 5000,
      topics: Object.entries(topics).map(([name, { partitions = 1, configs = {} }]) => ({
        name,
        numPartitions: partitions,
        replicationFactor: 1,
        assignments: [],
        configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
      })),
    });
    for (const { errorCode } of results) expect(errorCode).toBe(0);
  }

  async topicIdOf(name: string): Promise<string> {
    const { topics } = await this.ask(metadataApi, 12, { topics: [{ name }] });
    return topics[0]?.topicId ?? '';
  }

  /** One batch to one partition. */
  produce(topic: string, records: Buffer | null, options: ProduceOptions = {}): Promise<ProducedPartition> {
    const { version = 9, partition = 0, acks = -1, timeoutMs = 30_000 } = options;
    const topicData = [{ name: topic, partitionData: [{ index: partition, records }] }];
    return this.ask(produceApi, version, { acks, timeoutMs, topicData }).then((response) => {
      const answer = response.responses[0]?.partitionResponses[0];
      if (answer === undefined) throw new Error('no answer for the partition');
      return answer;
    });
  }
}

export type ProducedPartition = ProduceResponse['responses'][number]['partitionResponses'][number];

export interface ProduceOptions {
  readonly version?: number;
  readonly partition?: number;
  readonly acks?: number;
  readonly timeoutMs?: number;
}

/** A batch of `count` records of `bytes` bytes. */
export function batchOf(count = 1, bytes = 10, options: BatchOptions & { timestamp?: number } = {}): Buffer {
  const { timestamp = 1000, ...rest } = options;
  const record = { timestamp, key: null, value: Buffer.alloc(bytes, 0x61), headers: [] };
  return buildBatch(
    Array.from({ length: count }, () => record),
    rest,
  );
}

/** A whole request frame with any key and version, and a body as it is. */
export function rawFrame(
  apiKey: number,
  apiVersion: number,
  correlationId: number,
  body: Buffer,
  headerVersion: 1 | 2,
) {
  const writer = new MessageWriter();
  encodeRequestHeader(writer, { apiKey, apiVersion, correlationId, clientId: 'raw' }, headerVersion);
  const payload = Buffer.concat([...writer.parts(), body]);
  const size = Buffer.alloc(4);
  size.writeInt32BE(payload.length, 0);
  return Buffer.concat([size, payload]);
}
