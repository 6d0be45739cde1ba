// The client's view of a cluster: bootstrap addresses, one connection per broker and lane, metadata that is fetched when
// somebody misses something or was told that it is outdated.
import type { Ms, NodeId } from '../base/ids.ts';
import type { Clock } from '../env/clock.ts';
import { sleep } from '../env/clock.ts';
import type { Address, Network } from '../env/network.ts';
import type { Random } from '../env/random.ts';
import type { MetadataResponse } from '../protocol/apis/metadata.ts';
import { metadataApi } from '../protocol/apis/metadata.ts';
import { ErrorCode, errorInfo } from '../protocol/error-codes.ts';
import { backoffMs } from './backoff.ts';
import { brokerError, ClientError } from './client-error.ts';
import { KafkaConnection, nameOf } from './connection.ts';
import type { PartitionMetadata, TopicMetadata } from './metadata-cache.ts';
import { MetadataCache } from './metadata-cache.ts';

/** What a client needs of the world. */
export interface ClientDeps {
  readonly network: Network;
  readonly clock: Clock;
  readonly random: Random;
}

export interface ClusterOptions {
  /** Brokers to begin with; any one that answers will do. */
  readonly bootstrap: readonly Address[];
  readonly clientId?: string;
  readonly connectTimeoutMs?: Ms;
  readonly requestTimeoutMs?: Ms;
  /** Let brokers that allow it create topics that a client asks for. */
  readonly allowAutoTopicCreation?: boolean;
}

/** Requests of one lane wait for each other: a long poll gets a lane of its own. */
export type Lane = string;
const MAIN_LANE: Lane = 'main';

/** Any broker can answer at once: one that does not is given up for the next. */
const METADATA_TIMEOUT_MS = 5000;

export class ClusterClient {
  readonly deps: ClientDeps;
  readonly metadata = new MetadataCache();
  readonly requestTimeoutMs: Ms;
  readonly #options: Required<ClusterOptions>;
  readonly #connections = new Map<string, Promise<KafkaConnection>>();
  readonly #open = new Map<string, KafkaConnection>();
  /** By name, those whose last connection broke or was not made: any other one is asked before them. */
  readonly #doubtful = new Set<string>();
  readonly #topicsOfInterest = new Set<string>();
  #running: Promise<void> | undefined;
  #queued: Promise<void> | undefined;
  #lanes = 0;
  #closed = false;

  /** Connects to nothing yet. */
  constructor(deps: ClientDeps, options: ClusterOptions) {
    this.deps = deps;
    this.#options = {
      bootstrap: options.bootstrap,
      clientId: options.clientId ?? 'kvorum',
      connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
      requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
      allowAutoTopicCreation: options.allowAutoTopicCreation ?? false,
    };
    this.requestTimeoutMs = this.#options.requestTimeoutMs;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** A name for a lane that nobody else uses. */
  newLane(purpose: string): Lane {
    this.#lanes++;
    return `${purpose}-${this.#lanes}`;
  }

  /** The connection to a broker, opened if there is none. ClientError CONNECT_FAILED, CLOSED. */
  async connectionTo(nodeId: NodeId, lane: Lane = MAIN_LANE): Promise<KafkaConnection> {
    const address = this.metadata.brokers.get(nodeId);
    if (address === undefined) {
      throw new ClientError('CONNECT_FAILED', `broker ${nodeId} is not in the metadata`, { retriable: true });
    }
    return this.#connect(address, lane);
  }

  /** A connection to any broker that can be reached, bootstrap addresses last. CONNECT_FAILED says what each one said. */
  async anyConnection(): Promise<KafkaConnection> {
    const failures: string[] = [];
    for (const address of this.#candidates()) {
      try {
        return await this.#connect(address, MAIN_LANE);
      } catch (error) {
        if (!(error instanceof ClientError) || error.code === 'CLOSED') throw error;
        failures.push(error.message);
      }
    }
    throw new ClientError('CONNECT_FAILED', `no broker can be reached: ${failures.join('; ')}`, { retriable: true });
  }

  /** The cached leader of a partition; undefined while it is unknown or there is none. */
  leaderOf(topic: string, partition: number): PartitionMetadata | undefined {
    const metadata = this.metadata.topic(topic)?.partitions[partition];
    return metadata === undefined || metadata.leaderId < 0 ? undefined : metadata;
  }

  /** A topic's metadata from the cache, or asked for until it is there. The last error once `timeoutMs` has passed. */
  async topic(name: string, timeoutMs: Ms = 10_000): Promise<TopicMetadata> {
    const { clock, random } = this.deps;
    const deadline = clock.now() + timeoutMs;
    for (let attempt = 1; ; attempt++) {
      const cached = this.metadata.topic(name);
      if (cached !== undefined && cached.partitions.length > 0) return cached;
      let failure: ClientError | undefined;
      try {
        await this.refresh([name]);
        failure = this.#topicFailure(name);
        if (failure === undefined) continue;
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        failure = error;
      }
      if (!failure.retriable || clock.now() >= deadline) throw failure;
      await sleep(clock, Math.min(backoffMs(random, 'client.topic', attempt), Math.max(1, deadline - clock.now())));
    }
  }

  /** Fetches metadata of these and all topics asked for before. What resolves was fetched after the call. */
  refresh(topics: Iterable<string> = []): Promise<void> {
    for (const topic of topics) this.#topicsOfInterest.add(topic);
    if (this.#queued === undefined) {
      const before = this.#running ?? Promise.resolve();
      const next: Promise<void> = before.then(nothing, nothing).then(() => {
        this.#running = next;
        this.#queued = undefined;
        return this.#fetchMetadata();
      });
      this.#queued = next;
      const done = (): void => {
        if (this.#running === next) this.#running = undefined;
      };
      next.then(done, done);
    }
    return this.#queued;
  }

  /** Ends the connections of a lane. */
  closeLane(lane: Lane): void {
    for (const [key, connection] of this.#open) if (key.startsWith(`${lane}/`)) connection.close();
  }

  /** Ends all connections; whatever waits fails. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#open.values()) connection.close();
  }

  #topicFailure(name: string): ClientError | undefined {
    const code = this.metadata.topicError(name);
    if (code !== ErrorCode.NONE) return brokerError(code, `topic ${name}`);
    const topic = this.metadata.topic(name);
    if (topic !== undefined && topic.partitions.length > 0) return undefined;
    return new ClientError('BAD_RESPONSE', `brokers do not describe topic ${name}`, { retriable: true });
  }

  /** Known brokers from a random one on, then the bootstrap addresses; who did not answer last time comes last. */
  #candidates(): Address[] {
    const known = rotated([...this.metadata.brokers.values()], this.deps.random);
    const names = new Set(known.map(nameOf));
    const others = rotated(this.#options.bootstrap, this.deps.random).filter((to) => !names.has(nameOf(to)));
    const doubtOf = (to: Address): number => Number(this.#doubtful.has(nameOf(to)));
    return [...known, ...others].sort((a, b) => doubtOf(a) - doubtOf(b));
  }

  async #fetchMetadata(): Promise<void> {
    const failures: string[] = [];
    for (const address of this.#candidates()) {
      try {
        const connection = await this.#connect(address, MAIN_LANE);
        this.metadata.update(await this.#requestMetadata(connection));
        return;
      } catch (error) {
        if (!(error instanceof ClientError) || error.code === 'CLOSED') throw error;
        failures.push(error.message);
      }
    }
    throw new ClientError('CONNECT_FAILED', `no broker answers: ${failures.join('; ')}`, { retriable: true });
  }

  #requestMetadata(connection: KafkaConnection): Promise<MetadataResponse> {
    const topics = [...this.#topicsOfInterest].map((name) => ({ name }));
    const { allowAutoTopicCreation } = this.#options;
    const timeoutMs = Math.min(METADATA_TIMEOUT_MS, this.requestTimeoutMs);
    return connection.request(metadataApi, { topics, allowAutoTopicCreation }, { timeoutMs });
  }

  #connect(address: Address, lane: Lane): Promise<KafkaConnection> {
    if (this.#closed) return Promise.reject(new ClientError('CLOSED', 'the client is closed'));
    const key = `${lane}/${nameOf(address)}`;
    const existing = this.#connections.get(key);
    if (existing !== undefined) return existing;
    const forget = (): void => {
      this.#connections.delete(key);
      this.#open.delete(key);
      this.#doubtful.add(nameOf(address));
    };
    const opening = KafkaConnection.open(this.deps, address, this.#options, forget).then(
      (connection) => {
        if (this.#closed) {
          connection.close();
          throw new ClientError('CLOSED', 'the client is closed');
        }
        if (!connection.isClosed) {
          this.#open.set(key, connection);
          this.#doubtful.delete(nameOf(address));
        }
        return connection;
      },
      (error: unknown) => {
        forget();
        throw error;
      },
    );
    this.#connections.set(key, opening);
    return opening;
  }
}

function nothing(): void {}

function rotated<T>(items: readonly T[], random: Random): T[] {
  const first = items.length < 2 ? 0 : random.below('client.bootstrap', items.length);
  return [...items.slice(first), ...items.slice(0, first)];
}

/** Whether an error code says that the metadata is outdated. */
export function meansStaleMetadata(code: number): boolean {
  return errorInfo(code)?.reaction === 'refresh';
}
