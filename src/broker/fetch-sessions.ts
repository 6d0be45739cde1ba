// The leader's end of fetch sessions (KIP-227), for the brokers of this cluster alone: one each. A session knows which of its partitions
// have moved since the follower was answered last, so that a fetch costs what changed, not what is followed.
import type { Ms, NodeId, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { Random } from '../env/random.ts';
import type { FetchPartition, FetchRequest } from '../protocol/apis/fetch.ts';
import type { ErrorName } from '../protocol/error-codes.ts';
import type { FetchingReplica } from '../replica/follower-fetch.ts';
import type { Partition } from '../replica/partition.ts';
import { PartitionMap } from '../replica/partition-map.ts';
import type { PartitionRead } from '../replica/read.ts';

export interface FetchSessionDeps {
  readonly clock: Clock;
  /** A partition that this broker may lead; undefined while its log is being opened. */
  findNow(topicId: Uuid, partition: number): Partition | ErrorName | undefined;
  find(topicId: Uuid, partition: number): Promise<Partition | ErrorName>;
}

/** A partition in a session. */
export interface SessionPartition {
  readonly topicId: Uuid;
  readonly partition: number;
  /** What the follower asked last. */
  asked: FetchPartition;
  /** Undefined: it is being opened. */
  place: Partition | ErrorName | undefined;
  /** The fetch has not been looked at. */
  isNew: boolean;
  /** What the fetch itself was found to be, if not good (D-2.2). */
  refused: PartitionRead | undefined;
  /** As the follower was told last; -1: never. */
  highWatermark: Offset;
  logStartOffset: Offset;
  unwatch: (() => void) | undefined;
}

/** A high watermark that has moved goes with the next records, or after this. */
const LINGER_MS = 50;

export class FollowerSession {
  readonly id: number;
  readonly replica: FetchingReplica;
  readonly #deps: FetchSessionDeps;
  readonly #partitions = new PartitionMap<SessionPartition>();
  /** To be looked at; who has waited longest first, so that none starves (behaviour 30). */
  readonly #dirty = new Set<SessionPartition>();
  /** Were answered with what changes their position: the follower names them again, or did not take it. */
  #served = new Set<SessionPartition>();
  #nextEpoch = 1;
  #wake: (() => void) | undefined;
  #linger: Timer | undefined;
  #holding: Timer | undefined;
  /** Something is to be looked at, and what it is to be told, without more records. */
  #isUrgent = false;
  #isDue = false;
  isOver = false;

  constructor(deps: FetchSessionDeps, id: number, replica: FetchingReplica) {
    this.#deps = deps;
    this.id = id;
    this.replica = replica;
  }

  get size(): number {
    return this.#partitions.size;
  }

  /** Whether the epoch is that of the next request; then another one is from now on. */
  takeEpoch(epoch: number): boolean {
    if (epoch !== this.#nextEpoch) return false;
    this.#nextEpoch = epoch === 0x7fff_ffff ? 1 : epoch + 1;
    return true;
  }

  /** Takes what the request says is new: that is dirty now. */
  apply({ topics, forgottenTopicsData }: Pick<FetchRequest, 'topics' | 'forgottenTopicsData'>): void {
    for (const { topicId, partitions } of forgottenTopicsData) {
      for (const partition of partitions) this.#forget(this.#partitions.get(topicId, partition));
    }
    const served = this.#served;
    this.#served = new Set();
    for (const { topicId, partitions } of topics) {
      for (const asked of partitions) served.delete(this.#ask(topicId, asked));
    }
    for (const unnamed of served)
      if (this.#partitions.get(unnamed.topicId, unnamed.partition) === unnamed) this.#again(unnamed);
  }

  #ask(topicId: Uuid, asked: FetchPartition): SessionPartition {
    const { partition } = asked;
    let entry = this.#partitions.get(topicId, partition);
    if (entry === undefined) {
      entry = {
        topicId,
        partition,
        asked,
        place: undefined,
        isNew: true,
        refused: undefined,
        highWatermark: -1,
        logStartOffset: -1,
        unwatch: undefined,
      };
      this.#partitions.set(topicId, partition, entry);
    }
    entry.asked = asked;
    entry.isNew = true;
    entry.refused = undefined;
    this.#place(entry);
    this.#again(entry);
    return entry;
  }

  /** Finds the partition, unless it is known and still there. */
  #place(entry: SessionPartition): void {
    const { place, topicId, partition } = entry;
    if (place !== undefined && typeof place !== 'string' && !place.isRetired) return;
    entry.unwatch?.();
    entry.unwatch = undefined;
    entry.place = this.#deps.findNow(topicId, partition);
    if (entry.place === undefined) void this.#placeLater(entry);
    else this.#watch(entry);
  }

  async #placeLater(entry: SessionPartition): Promise<void> {
    const place = await this.#deps.find(entry.topicId, entry.partition);
    if (this.isOver || entry.place !== undefined || this.#partitions.get(entry.topicId, entry.partition) !== entry)
      return;
    entry.place = place;
    this.#watch(entry);
    this.#again(entry);
    this.#hurry(true);
  }

  #watch(entry: SessionPartition): void {
    const { place } = entry;
    if (place !== undefined && typeof place !== 'string')
      entry.unwatch = place.watchRecords(() => this.#moved(entry, place));
  }

  #moved(entry: SessionPartition, place: Partition): void {
    this.#dirty.add(entry);
    if (place.leader === undefined || place.log.logStartOffset !== entry.logStartOffset) this.#hurry(true);
    else if (place.log.logEndOffset > entry.asked.fetchOffset) this.#hurry(false);
    else this.#linger ??= this.#deps.clock.schedule(LINGER_MS, () => this.#hurry(true));
  }

  #hurry(isDue: boolean): void {
    this.#isUrgent = true;
    this.#isDue ||= isDue;
    this.#wake?.();
  }

  /** Something is held back for so long. */
  lookIn(ms: Ms): void {
    this.#holding ??= this.#deps.clock.schedule(ms, () => {
      this.#holding = undefined;
      this.#hurry(false);
    });
  }

  /** To be looked at, after all others. */
  #again(entry: SessionPartition): void {
    this.#dirty.delete(entry);
    this.#dirty.add(entry);
  }

  #forget(entry: SessionPartition | undefined): void {
    if (entry === undefined) return;
    entry.unwatch?.();
    this.#dirty.delete(entry);
    this.#served.delete(entry);
    this.#partitions.delete(entry.topicId, entry.partition);
  }

  /** Those that may have something to be told, in turn. */
  dirty(): SessionPartition[] {
    this.#isUrgent = false;
    return [...this.#dirty];
  }

  /** Whether what there is to tell is to be told now, however little it is. */
  get isDue(): boolean {
    return this.#isDue;
  }

  /** The follower is being answered. */
  answered(): void {
    this.#isDue = false;
    this.#linger?.cancel();
    this.#linger = undefined;
  }

  /** The follower has been told all there is now. */
  settle(entry: SessionPartition): void {
    this.#dirty.delete(entry);
  }

  /** It is told what changes its position. */
  serve(entry: SessionPartition): void {
    this.#dirty.delete(entry);
    // What is no partition here takes no memory.
    if (typeof entry.place === 'string') this.#forget(entry);
    else this.#served.add(entry);
  }

  /** Resolves when there is something to look at at once, or `finish` is called. */
  wait(): { readonly promise: Promise<void>; readonly finish: () => void } {
    if (this.#isUrgent || this.isOver) return { promise: Promise.resolve(), finish: () => {} };
    let finish: () => void = () => {};
    const promise = new Promise<void>((resolve) => {
      finish = resolve;
    });
    this.#wake = finish;
    return { promise, finish };
  }

  close(): void {
    this.isOver = true;
    this.#linger?.cancel();
    this.#holding?.cancel();
    for (const { unwatch } of this.#partitions.values()) unwatch?.();
    this.#wake?.();
  }
}

export class FetchSessions {
  readonly #deps: FetchSessionDeps & { readonly random: Random };
  readonly #byBroker = new Map<NodeId, FollowerSession>();

  constructor(deps: FetchSessionDeps & { readonly random: Random }) {
    this.#deps = deps;
  }

  /** A new one, in place of what the broker had. */
  begin(replica: FetchingReplica): FollowerSession {
    this.end(replica.brokerId);
    const id = this.#deps.random.below('fetch.session', 0x7fff_fffe) + 1;
    const session = new FollowerSession(this.#deps, id, replica);
    this.#byBroker.set(replica.brokerId, session);
    return session;
  }

  find(brokerId: NodeId, sessionId: number): FollowerSession | undefined {
    const session = this.#byBroker.get(brokerId);
    return session?.id === sessionId ? session : undefined;
  }

  end(brokerId: NodeId): void {
    this.#byBroker.get(brokerId)?.close();
    this.#byBroker.delete(brokerId);
  }

  /** The broker has that registration now; undefined: none. */
  registered(brokerId: NodeId, brokerEpoch: Offset | undefined): void {
    const session = this.#byBroker.get(brokerId);
    if (session !== undefined && session.replica.brokerEpoch !== brokerEpoch) this.end(brokerId);
  }

  close(): void {
    for (const brokerId of [...this.#byBroker.keys()]) this.end(brokerId);
  }
}
