// Where new partitions go (C-7.2, and Kafka's KIP-36): leaders round robin over the active brokers, beginning with those that
// lead the fewest partitions; the replicas of a partition over as many racks as there are, and evenly over brokers, those
// with the fewest first. Brokers that are not active get replicas only where the others are too few. Deterministic given the image.
import { must } from '../../base/assert.ts';
import type { NodeId } from '../../base/ids.ts';
import type { Uuid } from '../../base/uuid.ts';
import { ZERO_UUID } from '../../base/uuid.ts';
import type { BrokerRegistration, MetadataImage } from '../../metadata/image.ts';
import { isActive } from '../../metadata/image.ts';

/** Replicas of one partition, the preferred leader first. */
export type Assignment = readonly NodeId[];

interface Host {
  readonly brokerId: NodeId;
  readonly isActive: boolean;
  /** Racks are numbered; brokers without one share one. */
  readonly rack: number;
  /** The directory of a new replica. */
  readonly directory: Uuid;
  /** What it has, with what was placed so far. */
  replicas: number;
  leaders: number;
}

/** What one topic has on a host, beside its place in the order of this topic's leaders. */
interface Seat {
  readonly host: Host;
  replicas: number;
  preferred: number;
  /** The partition that it was chosen for last. */
  chosenFor: number;
}

export class Placement {
  readonly #hosts = new Map<NodeId, Host>();
  readonly #racks = new Map<string, number>();
  readonly activeCount: number;

  constructor({ brokers, loads }: MetadataImage) {
    let activeCount = 0;
    for (const broker of brokers.values()) {
      const { brokerId } = broker;
      const rack = this.#racks.get(broker.rack) ?? this.#racks.size;
      this.#racks.set(broker.rack, rack);
      const { replicas, leaders } = loads.get(brokerId) ?? { replicas: 0, leaders: 0 };
      const active = isActive(broker);
      if (active) activeCount++;
      const directory = directoryFor(broker);
      this.#hosts.set(brokerId, { brokerId, isActive: active, rack, directory, replicas, leaders });
    }
    this.activeCount = activeCount;
  }

  /** Brokers that are registered. */
  get brokerCount(): number {
    return this.#hosts.size;
  }

  isRegistered(brokerId: NodeId): boolean {
    return this.#hosts.has(brokerId);
  }

  isActive(brokerId: NodeId): boolean {
    return this.#hosts.get(brokerId)?.isActive === true;
  }

  /** The directory of a new replica: the broker's only one, else left to the broker. */
  directoryOf(brokerId: NodeId): Uuid {
    return this.#hosts.get(brokerId)?.directory ?? ZERO_UUID;
  }

  /** Counts what was decided, so that what comes next goes elsewhere. */
  add(assignments: readonly Assignment[]): void {
    for (const replicas of assignments) {
      for (const [i, brokerId] of replicas.entries()) {
        const host = this.#hosts.get(brokerId);
        if (host === undefined) continue;
        host.replicas++;
        if (i === 0) host.leaders++;
      }
    }
  }

  /**
   * The replicas of each of `count` new partitions of a topic that has these already. There must be an active broker, and at least
   * `replicationFactor` registered ones. Nothing is counted yet.
   */
  place(count: number, replicationFactor: number, present: readonly Assignment[] = []): Assignment[] {
    const seats = this.#seats(present);
    const leaders = seats.findLastIndex(({ host }) => host.isActive) + 1;
    const rackUses = Array.from(this.#racks, () => 0);
    return Array.from({ length: count }, (_, partition) => {
      const first = partition % leaders;
      const shift = 1 + Math.floor(partition / leaders);
      const chosen = [first];
      rackUses.fill(0);
      take(seats, first, partition, rackUses);
      while (chosen.length < replicationFactor) {
        const next = best(seats, partition, rackUses);
        take(seats, next, partition, rackUses);
        chosen.push(next);
      }
      // Who follows whom changes from round to round, so that the leaders of a broker that fails do not all go to one other.
      const turn = (seat: number): number => (seat - first - shift + 2 * seats.length * shift) % seats.length;
      const [, ...followers] = chosen;
      followers.sort((a, b) => turn(a) - turn(b));
      return [first, ...followers].map((seat) => must(seats[seat], 'a seat').host.brokerId);
    });
  }

  /** In the order in which they lead; those that are not active at the end. */
  #seats(present: readonly Assignment[]): Seat[] {
    const seats = new Map<NodeId, Seat>();
    for (const host of this.#hosts.values()) {
      seats.set(host.brokerId, { host, replicas: 0, preferred: 0, chosenFor: -1 });
    }
    for (const replicas of present) {
      for (const [i, brokerId] of replicas.entries()) {
        const seat = seats.get(brokerId);
        if (seat === undefined) continue;
        seat.replicas++;
        if (i === 0) seat.preferred++;
      }
    }
    return [...seats.values()].sort(
      (a, b) =>
        Number(b.host.isActive) - Number(a.host.isActive) ||
        a.preferred - b.preferred ||
        a.host.leaders - b.host.leaders ||
        a.host.replicas - b.host.replicas ||
        a.host.brokerId - b.host.brokerId,
    );
  }
}

function take(seats: readonly Seat[], index: number, partition: number, rackUses: number[]): void {
  const seat = must(seats[index], 'a seat');
  seat.chosenFor = partition;
  seat.replicas++;
  rackUses[seat.host.rack] = (rackUses[seat.host.rack] ?? 0) + 1;
}

/** Who gets the next replica of the partition: the first of the best. */
function best(seats: readonly Seat[], partition: number, rackUses: readonly number[]): number {
  let found = -1;
  for (let i = 0; i < seats.length; i++) {
    const seat = seats[i] as Seat;
    if (seat.chosenFor === partition) continue;
    if (found < 0 || compare(seat, seats[found] as Seat, rackUses) < 0) found = i;
  }
  return found;
}

function compare(a: Seat, b: Seat, rackUses: readonly number[]): number {
  return (
    Number(b.host.isActive) - Number(a.host.isActive) ||
    (rackUses[a.host.rack] ?? 0) - (rackUses[b.host.rack] ?? 0) ||
    a.replicas - b.replicas ||
    a.host.replicas - b.host.replicas
  );
}

function directoryFor({ logDirs }: BrokerRegistration): Uuid {
  const [only, ...others] = logDirs;
  return only === undefined || others.length > 0 ? ZERO_UUID : only;
}
