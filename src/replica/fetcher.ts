// Fetches from one leader broker for all partitions that follow it: one connection, one session, one request that waits at the leader. A
// partition that begins to be fetched meanwhile is asked for in a second request, on which the leader answers the first at once.
import type { Ms, NodeId, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { BackoffRange } from '../client/backoff.ts';
import { backoffMs } from '../client/backoff.ts';
import { brokerError, ClientError } from '../client/client-error.ts';
import { KafkaConnection, nameOf } from '../client/connection.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import type { Address, Network } from '../env/network.ts';
import type { Random } from '../env/random.ts';
import type { FetchResponse } from '../protocol/apis/fetch.ts';
import { fetchApi } from '../protocol/apis/fetch.ts';
import { listOffsetsApi } from '../protocol/apis/list-offsets.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { FetchSession } from './fetch-session.ts';
import type { Following, LeaderBounds } from './following.ts';

export interface FetcherLimits {
  readonly maxWaitMs: Ms;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly partitionMaxBytes: number;
  /** For an answer, beyond what it may wait. */
  readonly timeoutMs: Ms;
}

export interface FetcherDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly network: Network;
  readonly clusterId: Uuid;
  readonly brokerId: NodeId;
  readonly limits: FetcherLimits;
  readonly backoff: BackoffRange;
  /** For answers, which are large: `takeBack` when nobody has a view of it any more. */
  readonly buffers: { lend(size: number): Buffer; takeBack(view: Buffer): void };
  brokerEpoch(): Offset;
  /** The broker as it is registered now, undefined if it cannot be reached. */
  find(brokerId: NodeId): LeaderAddress | undefined;
}

export interface LeaderAddress {
  readonly brokerEpoch: Offset;
  readonly address: Address;
}

/** The first version with the broker epoch of the follower (KIP-903). */
const FIRST_WITH_BROKER_EPOCH = 15;
/** That waits at the leader, and one behind it. */
const MOST_REQUESTS = 2;

const EARLIEST = -2;
const LATEST = -1;

export class Fetcher {
  readonly leader: NodeId;
  readonly #deps: FetcherDeps;
  readonly #session: FetchSession;
  readonly #followings = new Set<Following>();
  #connection: KafkaConnection | undefined;
  /** Which process the connection is to, or is to be to. */
  #peer: LeaderAddress | undefined;
  #isConnecting = false;
  /** Requests without an answer. */
  #requests = 0;
  /** Answers that are being taken. */
  #taking = 0;
  #timer: Timer | undefined;
  /** Failures in a row. */
  #attempts = 0;
  #stopped = false;

  constructor(deps: FetcherDeps, leader: NodeId) {
    this.#deps = deps;
    this.leader = leader;
    this.#session = new FetchSession(deps.limits.partitionMaxBytes);
  }

  get isIdle(): boolean {
    return this.#followings.size === 0;
  }

  add(following: Following): void {
    this.#followings.add(following);
    this.moved(following);
  }

  /** At once: no answer reaches it any more. */
  remove(following: Following): void {
    if (this.#followings.delete(following)) this.#session.remove(following);
  }

  /** It has another position. */
  moved(following: Following): void {
    if (!this.#followings.has(following)) return;
    this.#session.update(following);
    this.#pump();
  }

  /** The leader has registered anew, moved, or gone, or nothing of that. */
  leaderChanged(): void {
    const found = this.#deps.find(this.leader);
    const known = this.#peer;
    const isSame =
      found?.brokerEpoch === known?.brokerEpoch &&
      found?.address.host === known?.address.host &&
      found?.address.port === known?.address.port;
    if (isSame) return;
    this.#peer = undefined;
    this.#connection?.close();
    this.#rested();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#connection?.close();
  }

  /** Sends what there is to send, as far as it may be sent now. */
  #pump(): void {
    if (this.#stopped || this.#timer !== undefined || this.#isConnecting || this.#taking > 0) return;
    if (this.#requests === 0 ? !this.#session.isWanted : !this.#mayHurry()) return;
    if (this.#connection === undefined) void this.#connect();
    else void this.#fetch(this.#connection);
  }

  #mayHurry(): boolean {
    return this.#requests < MOST_REQUESTS && this.#session.isOpen && this.#session.hasNews;
  }

  async #connect(): Promise<void> {
    const peer = this.#deps.find(this.leader);
    this.#peer = peer;
    if (peer === undefined) return this.#failed('it is not registered, or not on the listener for brokers');
    this.#isConnecting = true;
    try {
      await this.#open(peer);
    } finally {
      this.#isConnecting = false;
    }
    this.#pump();
  }

  async #open(peer: LeaderAddress): Promise<void> {
    const { network, clock, brokerId, limits } = this.#deps;
    const { address } = peer;
    const options = {
      clientId: `broker-${brokerId}-fetcher`,
      connectTimeoutMs: limits.timeoutMs,
      requestTimeoutMs: limits.timeoutMs,
    };
    try {
      const connection = await KafkaConnection.open({ network, clock }, address, options, () => this.#closed());
      if (this.#stopped || this.#peer !== peer) return connection.close();
      if ((connection.versionOf(fetchApi) ?? 0) < FIRST_WITH_BROKER_EPOCH) {
        connection.close();
        return this.#failed(`${nameOf(address)} is no broker that this one can fetch from: update it`);
      }
      this.#session.reset();
      this.#connection = connection;
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      this.#failed(error.message);
    }
  }

  /** What waited for an answer failed with it. */
  #closed(): void {
    this.#connection = undefined;
    this.#pump();
  }

  /** The next attempt comes later. */
  #failed(reason: string): void {
    if (this.#stopped || this.#timer !== undefined) return;
    const { clock, random, logger, backoff } = this.#deps;
    this.#attempts += 1;
    if (this.#attempts === 1) logger.warn('leader-unreachable', { leader: this.leader, reason });
    const ms = backoffMs(random, 'replica.fetch.backoff', this.#attempts, backoff);
    this.#timer = clock.schedule(ms, () => this.#rested());
  }

  #rested(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#pump();
  }

  async #fetch(connection: KafkaConnection): Promise<void> {
    const { limits, clusterId, brokerId, buffers } = this.#deps;
    const { number, ...session } = this.#session.next();
    const { maxWaitMs, minBytes, maxBytes } = limits;
    const replicaState = { replicaId: brokerId, replicaEpoch: this.#deps.brokerEpoch() };
    this.#requests += 1;
    let response: FetchResponse;
    let frame: Buffer | undefined;
    const allocate = (size: number): Buffer => {
      frame = buffers.lend(size);
      return frame;
    };
    try {
      const request = { clusterId, replicaState, maxWaitMs, minBytes, maxBytes, ...session };
      response = await connection.request(fetchApi, request, { timeoutMs: limits.timeoutMs + maxWaitMs, allocate });
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      this.#requests -= 1;
      // A session belongs to the connection that it was begun with.
      if (connection === this.#connection) connection.close();
      this.#failed(error.message);
      return;
    }
    this.#requests -= 1;
    await this.#take(number, response);
    if (frame !== undefined) buffers.takeBack(frame);
    this.#pump();
  }

  async #take(number: number, response: FetchResponse): Promise<void> {
    const { errorCode, sessionId, responses } = response;
    if (errorCode !== ErrorCode.NONE) return this.#refused(number, errorCode);
    if (this.#stopped || !this.#session.answered(number, sessionId)) return;
    if (this.#attempts > 0) this.#deps.logger.info('leader-reached', { leader: this.leader });
    this.#attempts = 0;
    const taken: Promise<void>[] = [];
    this.#taking += 1;
    for (const { topicId, partitions } of responses) {
      for (const answer of partitions) {
        const target = this.#session.target(number, topicId, answer.partitionIndex);
        const done = target?.following.take(target.asked, answer);
        if (done !== undefined) taken.push(done);
      }
    }
    // What they flush they flush together; then one request says how far all of them are.
    if (taken.length > 0) await Promise.all(taken);
    this.#taking -= 1;
  }

  #refused(number: number, errorCode: number): void {
    if (!this.#session.answered(number, 0)) return;
    this.#session.reset();
    // The leader has dropped the session: that is no failure.
    const isLost =
      errorCode === ErrorCode.FETCH_SESSION_ID_NOT_FOUND || errorCode === ErrorCode.INVALID_FETCH_SESSION_EPOCH;
    if (!isLost) this.#failed(brokerError(errorCode, 'fetch').message);
  }

  /** D-3.8: where the leader's log starts and ends; undefined if it does not say. */
  async boundsOf({ partition, leaderEpoch }: Following): Promise<LeaderBounds | undefined> {
    const connection = this.#connection;
    if (connection === undefined) return undefined;
    const { brokerId } = this.#deps;
    const { topic: name, partition: partitionIndex } = partition;
    const ask = async (timestamp: number): Promise<Offset | undefined> => {
      const partitions = [{ partitionIndex, currentLeaderEpoch: leaderEpoch, timestamp }];
      const request = { replicaId: brokerId, isolationLevel: 0, topics: [{ name, partitions }] };
      const { topics } = await connection.request(listOffsetsApi, request);
      const answer = topics[0]?.partitions[0];
      return answer?.errorCode === ErrorCode.NONE && answer.offset >= 0 ? answer.offset : undefined;
    };
    try {
      const [startOffset, endOffset] = await Promise.all([ask(EARLIEST), ask(LATEST)]);
      return startOffset === undefined || endOffset === undefined ? undefined : { startOffset, endOffset };
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      return undefined;
    }
  }
}
