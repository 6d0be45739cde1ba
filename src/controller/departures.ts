// Brokers that are taken out of more partitions than one batch should move: one batch per turn of the event loop, each decided on what
// the one before left (C-3.4), the broker's own record in the last. Meanwhile commands see the broker as if it were gone already, so
// that none of them brings it back. That is remembered here alone: if the claim ends in between, the next one finds a broker that is
// unfenced and registered as before, in fewer partitions; it is silent, or it asks, or is asked for again, and so goes again.
import { assert } from '../base/assert.ts';
import type { Ms, NodeId, Offset } from '../base/ids.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { MetadataRecord } from '../gen/kvorum/v1/metadata.ts';
import type { BrokerRegistration, MetadataImage } from '../metadata/image.ts';
import type { Step } from './decide/broker-state.ts';
import type { Attempt } from './surprises.ts';

export interface Departure {
  readonly brokerId: NodeId;
  readonly brokerEpoch: Offset;
  /** How commands see the broker until it is done. */
  readonly seenAs: Partial<Pick<BrokerRegistration, 'fenced' | 'logDirs'>>;
  /** The next batch. */
  readonly next: (image: MetadataImage, broker: BrokerRegistration) => Step;
}

interface Underway {
  readonly departure: Departure;
  readonly done: Promise<void>;
  readonly resolve: () => void;
}

export interface DeparturesDeps {
  readonly clock: Clock;
  /** What commands are decided on. */
  readonly image: () => MetadataImage;
  /** False: the claim is over. */
  readonly write: (brokerId: NodeId, records: readonly MetadataRecord[]) => boolean;
  /** Too much waits for its commit. */
  readonly isCongested: () => boolean;
  readonly attempt: Attempt;
}

/** Pause where too much waits to be committed. */
const CONGESTED_MS: Ms = 20;

export class Departures {
  readonly #deps: DeparturesDeps;
  readonly #underway = new Map<NodeId, Underway>();
  #timer: Timer | undefined;
  #isOver = false;

  constructor(deps: DeparturesDeps) {
    this.#deps = deps;
  }

  /** The image as commands should see it. */
  seenBy(image: MetadataImage): MetadataImage {
    if (this.#underway.size === 0) return image;
    let { brokers } = image;
    for (const { departure } of this.#underway.values()) {
      const broker = brokers.get(departure.brokerId);
      if (broker?.brokerEpoch !== departure.brokerEpoch) continue;
      brokers = brokers.set(departure.brokerId, { ...broker, ...departure.seenAs });
    }
    return { ...image, brokers };
  }

  /** Resolves when the departure of this broker has been written, or the claim is over; undefined: there is none. */
  of(brokerId: NodeId): Promise<void> | undefined {
    return this.#underway.get(brokerId)?.done;
  }

  /** Begins at the next turn, or when those before are done. As {@link of}. There must be none of this broker. */
  begin(departure: Departure): Promise<void> {
    const { brokerId } = departure;
    assert(!this.#underway.has(brokerId), `broker ${brokerId} departs twice at once`);
    let resolve: () => void = () => {};
    const done = new Promise<void>((fulfil) => {
      resolve = fulfil;
    });
    this.#underway.set(brokerId, { departure, done, resolve });
    this.#schedule(0);
    return done;
  }

  /** The claim is over: who waits sees that. */
  end(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    for (const { resolve } of this.#underway.values()) resolve();
    this.#underway.clear();
  }

  #schedule(delayMs: Ms): void {
    if (this.#timer !== undefined || this.#isOver) return;
    this.#timer = this.#deps.clock.schedule(delayMs, () => {
      this.#timer = undefined;
      const restMs = this.#deps.attempt('moving partitions of a broker', () => this.#turn());
      if (restMs > 0) this.#schedule(restMs);
    });
  }

  /** One batch of the departure that began first. */
  #turn(): void {
    const [first] = this.#underway.values();
    if (first === undefined || this.#isOver) return;
    if (this.#deps.isCongested()) return this.#schedule(CONGESTED_MS);
    const { departure, resolve } = first;
    const image = this.#deps.image();
    const broker = image.brokers.get(departure.brokerId);
    const isThere = broker?.brokerEpoch === departure.brokerEpoch;
    const { records, isComplete } = isThere ? departure.next(image, broker) : { records: [], isComplete: true };
    if (isComplete) this.#underway.delete(departure.brokerId);
    const written = this.#deps.write(departure.brokerId, records);
    if (isComplete) resolve();
    if (written && this.#underway.size > 0) this.#schedule(0);
  }
}
