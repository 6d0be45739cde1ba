// Broker sessions: what the active controller remembers of brokers beside the image. Soft state, begun anew with each claim
// (C-1.2). It decides when a broker is fenced, never what is safe: that is the epochs' (M-3). A broker is silent for a session, or
// its connection broke and nothing is heard of it for a short grace.
import type { Ms, NodeId, Offset } from '../base/ids.ts';
import type { MetadataImage } from '../metadata/image.ts';
import { isActive } from '../metadata/image.ts';

interface Session {
  /** The incarnation it belongs to. */
  readonly brokerEpoch: Offset;
  /** Monotonic time at which it lapses. */
  deadline: Ms;
  /** The connection that the broker holds; undefined: none that is known. */
  connection: object | undefined;
  /** When the broken connection ends the session; undefined: none broke, or the broker was heard of since. */
  lostDeadline: Ms | undefined;
  /** End of the broker's image as last reported, -1 if it never said. */
  metadataEndOffset: Offset;
  /** See {@link BrokerSessions.shutdownEndOffset}. */
  shutdownEndOffset: Offset | undefined;
}

export interface Expired {
  readonly brokerId: NodeId;
  readonly cause: 'session expired' | 'connection lost';
}

export class BrokerSessions {
  readonly #timeoutMs: Ms;
  readonly #graceMs: Ms;
  readonly #sessions = new Map<NodeId, Session>();

  /** `graceMs` 0: broken connections do not matter. */
  constructor(timeoutMs: Ms, graceMs: Ms) {
    this.#timeoutMs = timeoutMs;
    this.#graceMs = graceMs;
  }

  /** C-1.2: a full new session for every registered broker, fenced or not. */
  startAll(image: MetadataImage, now: Ms): void {
    for (const { brokerId, brokerEpoch } of image.brokers.values()) this.touch(brokerId, brokerEpoch, now);
  }

  /** The broker lives: it has a full session again (C-3.5). Another epoch is another session. */
  touch(brokerId: NodeId, brokerEpoch: Offset, now: Ms): void {
    const deadline = now + this.#timeoutMs;
    const session = this.#sessions.get(brokerId);
    if (session?.brokerEpoch === brokerEpoch) {
      session.deadline = Math.max(session.deadline, deadline);
      session.lostDeadline = undefined;
    } else {
      this.#sessions.set(brokerId, {
        brokerEpoch,
        deadline,
        connection: undefined,
        lostDeadline: undefined,
        metadataEndOffset: -1,
        shutdownEndOffset: undefined,
      });
    }
  }

  /** The broker holds this connection from now on, instead of one before. */
  connected(brokerId: NodeId, brokerEpoch: Offset, connection: object): void {
    const session = this.#sessions.get(brokerId);
    if (session?.brokerEpoch !== brokerEpoch) return;
    session.connection = connection;
    session.lostDeadline = undefined;
  }

  /** The connection broke; true if the session ends early for that, unless the broker is heard of. */
  disconnected(brokerId: NodeId, connection: object, now: Ms): boolean {
    const session = this.#sessions.get(brokerId);
    if (session?.connection !== connection) return false;
    session.connection = undefined;
    if (this.#graceMs === 0) return false;
    session.lostDeadline = now + this.#graceMs;
    return true;
  }

  /**
   * C-3.5: this process stood still, and what brokers have said meanwhile is not read yet: nobody's session ends before these times.
   */
  hold(until: Ms, lostUntil: Ms): void {
    for (const session of this.#sessions.values()) {
      session.deadline = Math.max(session.deadline, until);
      if (session.lostDeadline !== undefined) session.lostDeadline = Math.max(session.lostDeadline, lostUntil);
    }
  }

  /** What the broker says of its image; late heartbeats do not take it back. */
  report(brokerId: NodeId, metadataEndOffset: Offset): void {
    const session = this.#sessions.get(brokerId);
    if (session !== undefined) session.metadataEndOffset = Math.max(session.metadataEndOffset, metadataEndOffset);
  }

  isValid(brokerId: NodeId, now: Ms): boolean {
    const session = this.#sessions.get(brokerId);
    return session !== undefined && now < endOf(session);
  }

  /** Whether the broker has one, lapsed or not. A registered broker without one has said goodbye. */
  has(brokerId: NodeId): boolean {
    return this.#sessions.has(brokerId);
  }

  /** The broker has said goodbye: nobody need wait for its session. */
  end(brokerId: NodeId): void {
    this.#sessions.delete(brokerId);
  }

  /** The last batch that moved something for the broker's controlled shutdown ends here. */
  movedUntil(brokerId: NodeId, endOffset: Offset): void {
    const session = this.#sessions.get(brokerId);
    if (session !== undefined) session.shutdownEndOffset = endOffset;
  }

  /** As told by {@link movedUntil}; else, as after a new claim, `endOffset` of the first time this is asked. */
  shutdownEndOffset(brokerId: NodeId, endOffset: Offset): Offset {
    const session = this.#sessions.get(brokerId);
    if (session === undefined) return endOffset;
    session.shutdownEndOffset ??= endOffset;
    return session.shutdownEndOffset;
  }

  /** The least end offset that an active broker of the image reported: -1 if one has not, Infinity if none is active. */
  lowestActiveEndOffset(image: MetadataImage): Offset {
    let lowest = Number.POSITIVE_INFINITY;
    for (const broker of image.brokers.values()) {
      if (!isActive(broker)) continue;
      lowest = Math.min(lowest, this.#sessions.get(broker.brokerId)?.metadataEndOffset ?? -1);
    }
    return lowest;
  }

  /** An unfenced broker without a valid session: the one whose session ended first, ties by id. */
  firstExpired(image: MetadataImage, now: Ms): Expired | undefined {
    const first = this.#firstUnfenced(image);
    if (first === undefined || first.deadline > now) return undefined;
    const { brokerId } = first;
    return { brokerId, cause: first.isLost ? 'connection lost' : 'session expired' };
  }

  /** When {@link firstExpired} can next name a broker, if nothing is heard until then. */
  nextDeadline(image: MetadataImage, now: Ms): Ms {
    return this.#firstUnfenced(image)?.deadline ?? now + this.#timeoutMs;
  }

  #firstUnfenced(image: MetadataImage): { brokerId: NodeId; deadline: Ms; isLost: boolean } | undefined {
    let first: { brokerId: NodeId; deadline: Ms; isLost: boolean } | undefined;
    for (const { brokerId, fenced } of image.brokers.values()) {
      if (fenced) continue;
      const session = this.#sessions.get(brokerId);
      const deadline = session === undefined ? Number.NEGATIVE_INFINITY : endOf(session);
      const earlier = first === undefined || deadline < first.deadline;
      if (!earlier && (deadline !== first?.deadline || brokerId > first.brokerId)) continue;
      first = { brokerId, deadline, isLost: session !== undefined && deadline < session.deadline };
    }
    return first;
  }
}

function endOf({ deadline, lostDeadline }: Session): Ms {
  return Math.min(deadline, lostDeadline ?? deadline);
}
