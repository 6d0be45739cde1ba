// The follower's end of a fetch session with one leader (KIP-227): which partitions the leader knows of and what they were asked for, so
// that a request names only those that changed. Requests are numbered: an answer counts for a partition only if nothing newer was asked of it.
import type { Uuid } from '../base/uuid.ts';
import type { FetchPosition, Following } from './following.ts';
import { PartitionMap } from './partition-map.ts';

interface Entry {
  readonly topicId: Uuid;
  readonly partition: number;
  /** Undefined: it is not followed any more. */
  following: Following | undefined;
  /** What the leader was asked last; undefined: it is not in the session. */
  asked: FetchPosition | undefined;
  /** In which request. */
  askedIn: number;
}

interface AskedPartition extends FetchPosition {
  readonly partition: number;
  readonly partitionMaxBytes: number;
}

/** Of a request: what is new, and what is not wanted any more. */
export interface SessionRequest {
  readonly number: number;
  readonly sessionId: number;
  readonly sessionEpoch: number;
  readonly topics: { readonly topicId: Uuid; readonly partitions: AskedPartition[] }[];
  readonly forgottenTopicsData: { readonly topicId: Uuid; readonly partitions: number[] }[];
}

const LAST_SESSION_EPOCH = 0x7fff_ffff;

export class FetchSession {
  readonly #partitionMaxBytes: number;
  readonly #entries = new PartitionMap<Entry>();
  readonly #changed = new Set<Entry>();
  /** Entries that are in the session. */
  #askedCount = 0;
  /** 0: the leader has given none. */
  #id = 0;
  /** Of the next request; 0 asks for a new session. */
  #epoch = 0;
  #requests = 0;
  /** The first request of this session. */
  #since = 0;

  /** `partitionMaxBytes`: replica.fetch.max.bytes. */
  constructor(partitionMaxBytes: number) {
    this.#partitionMaxBytes = partitionMaxBytes;
  }

  /** Whether there is something to ask that the leader has not been asked. */
  get hasNews(): boolean {
    for (const { following } of this.#changed) if (following?.position !== undefined) return true;
    return false;
  }

  /** Whether anything can be fetched now, or is in the session. */
  get isWanted(): boolean {
    return this.#askedCount > 0 || this.hasNews;
  }

  /** Whether the leader has given a session, so that another request may follow before the answer to the last. */
  get isOpen(): boolean {
    return this.#id !== 0;
  }

  /** It is followed from now on, or has another position. */
  update(following: Following): void {
    const { topicId, partition } = following.partition;
    let entry = this.#entries.get(topicId, partition);
    if (entry === undefined) {
      entry = { topicId, partition, following, asked: undefined, askedIn: 0 };
      this.#entries.set(topicId, partition, entry);
    }
    entry.following = following;
    this.#changed.add(entry);
  }

  /** It is followed no more; unless another following has taken its place. */
  remove({ partition: { topicId, partition } }: Following): void {
    const entry = this.#entries.get(topicId, partition);
    if (entry === undefined) return;
    entry.following = undefined;
    if (entry.asked !== undefined) this.#changed.add(entry);
    else this.#drop(entry);
  }

  #drop(entry: Entry): void {
    this.#changed.delete(entry);
    this.#entries.delete(entry.topicId, entry.partition);
  }

  /** The leader knows nothing any more: the next request begins a new session. */
  reset(): void {
    this.#id = 0;
    this.#epoch = 0;
    this.#since = this.#requests + 1;
    this.#askedCount = 0;
    for (const entry of [...this.#entries.values()]) {
      entry.asked = undefined;
      if (entry.following === undefined) this.#drop(entry);
      else this.#changed.add(entry);
    }
  }

  /** What is to be asked next. */
  next(): SessionRequest {
    this.#requests += 1;
    const asked = new Map<Uuid, AskedPartition[]>();
    const forgotten = new Map<Uuid, number[]>();
    for (const entry of this.#changed) this.#tell(entry, asked, forgotten);
    this.#changed.clear();
    const request: SessionRequest = {
      number: this.#requests,
      sessionId: this.#id,
      sessionEpoch: this.#epoch,
      topics: [...asked].map(([topicId, partitions]) => ({ topicId, partitions })),
      forgottenTopicsData: [...forgotten].map(([topicId, partitions]) => ({ topicId, partitions })),
    };
    this.#epoch = this.#epoch === LAST_SESSION_EPOCH ? 1 : this.#epoch + 1;
    return request;
  }

  #tell(entry: Entry, asked: Map<Uuid, AskedPartition[]>, forgotten: Map<Uuid, number[]>): void {
    const { topicId, partition, following } = entry;
    const position = following?.position;
    if (position === entry.asked) return;
    if (position === undefined) append(forgotten, topicId, partition);
    else append(asked, topicId, { partition, partitionMaxBytes: this.#partitionMaxBytes, ...position });
    this.#askedCount += Number(position !== undefined) - Number(entry.asked !== undefined);
    entry.asked = position;
    entry.askedIn = this.#requests;
    if (following === undefined) this.#entries.delete(topicId, partition);
  }

  /** The request was answered with this session id. False: it is of a session that was given up. */
  answered(number: number, sessionId: number): boolean {
    if (number < this.#since) return false;
    this.#id = sessionId;
    return true;
  }

  /** Who an answer to the request is for, and what was asked; undefined: nobody any more. */
  target(
    number: number,
    topicId: Uuid,
    partition: number,
  ): { readonly following: Following; readonly asked: FetchPosition } | undefined {
    const entry = this.#entries.get(topicId, partition);
    if (entry?.following === undefined || entry.asked === undefined || entry.askedIn > number) return undefined;
    return { following: entry.following, asked: entry.asked };
  }
}

function append<V>(lists: Map<Uuid, V[]>, topicId: Uuid, value: V): void {
  const list = lists.get(topicId);
  if (list === undefined) lists.set(topicId, [value]);
  else list.push(value);
}
