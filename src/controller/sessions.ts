// Broker sessions: what the active controller remembers of brokers beside the image. Soft state, begun anew with each claim
// (C-1.2). It decides when a broker is fenced, never what is safe: that is the epochs' (M-3).
import type { Ms, NodeId, Offset } from '../base/ids.ts';
import type { MetadataImage } from '../metadata/image.ts';
import { isActive } from '../metadata/image.ts';

interface Session {
  /** The incarnation it belongs to. */
  readonly brokerEpoch: Offset;
  /** Monotonic time at which it lapses. */
  deadline: Ms;
  /** End of the broker's image as last reported, -1 if it never said. */
  metadataEndOffset: Offset;
  /** See {@link BrokerSessions.shutdownEndOffset}. */
  shutdownEndOffset: Offset | undefined;
}

export class BrokerSessions {
  readonly #timeoutMs: Ms;
  readonly #sessions = new Map<NodeId, Session>();

  constructor(timeoutMs: Ms) {
    this.#timeoutMs = timeoutMs;
  }

  /** C-1.2: a full new session for every registered broker, fenced or not. */
  startAll(image: MetadataImage, now: Ms): void {
    for (const { brokerId, brokerEpoch } of image.brokers.values()) this.touch(brokerId, brokerEpoch, now);
  }

  /** The broker lives: it has a full session again (C-3.5). Another epoch is another session. */
  touch(brokerId: NodeId, brokerEpoch: Offset, now: Ms): void {
    const deadline = now + this.#timeoutMs;
    const session = this.#sessions.get(brokerId);
    if (session?.brokerEpoch === brokerEpoch) session.deadline = Math.max(session.deadline, deadline);
    else this.#sessions.set(brokerId, { brokerEpoch, deadline, metadataEndOffset: -1, shutdownEndOffset: undefined });
  }

  /** What the broker says of its image; late heartbeats do not take it back. */
  report(brokerId: NodeId, metadataEndOffset: Offset): void {
    const session = this.#sessions.get(brokerId);
    if (session !== undefined) session.metadataEndOffset = Math.max(session.metadataEndOffset, metadataEndOffset);
  }

  isValid(brokerId: NodeId, now: Ms): boolean {
    const session = this.#sessions.get(brokerId);
    return session !== undefined && now < session.deadline;
  }

  /** Whether the broker has one, lapsed or not. A registered broker without one has said goodbye. */
  has(brokerId: NodeId): boolean {
    return this.#sessions.has(brokerId);
  }

  /** The broker has said goodbye: nobody need wait for its session. */
  end(brokerId: NodeId): void {
    this.#sessions.delete(brokerId);
  }

  /**
   * The end of the batch that began the broker's controlled shutdown, which the image shows; `endOffset` the first time it is
   * asked for: the end of that batch, or a later one after a new claim.
   */
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

  /** An unfenced broker without a valid session: the one that has been silent for longest, ties by id. */
  firstExpired(image: MetadataImage, now: Ms): NodeId | undefined {
    const first = this.#firstUnfenced(image);
    return first !== undefined && first.deadline <= now ? first.brokerId : undefined;
  }

  /** When {@link firstExpired} can next name a broker, if none is heard of until then. */
  nextDeadline(image: MetadataImage, now: Ms): Ms {
    return this.#firstUnfenced(image)?.deadline ?? now + this.#timeoutMs;
  }

  #firstUnfenced(image: MetadataImage): { brokerId: NodeId; deadline: Ms } | undefined {
    let first: { brokerId: NodeId; deadline: Ms } | undefined;
    for (const { brokerId, fenced } of image.brokers.values()) {
      if (fenced) continue;
      const deadline = this.#sessions.get(brokerId)?.deadline ?? Number.NEGATIVE_INFINITY;
      const earlier = first === undefined || deadline < first.deadline;
      if (earlier || (deadline === first?.deadline && brokerId < first.brokerId)) first = { brokerId, deadline };
    }
    return first;
  }
}
