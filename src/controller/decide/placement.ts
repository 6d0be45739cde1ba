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
  leads: number;
  /** By seat: how often it follows where this one leads, and how often as the first, who leads when this one fails. */
  readonly followers: number[];
  readonly successors: number[];
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
    return Array.from({ length: count }, (_, partition) => {
      const leader = partition % leaders;
      const shift = 1 + Math.floor(partition / leaders);
      const chosen = chooseReplicas(seats, leader, shift, replicationFactor);
      return chosen.map((seat) => seatAt(seats, seat).host.brokerId);
    });
  }

  /** In the order in which they lead; those that are not active at the end. */
  #seats(present: readonly Assignment[]): Seat[] {
    const seats = new Map<NodeId, Seat>();
    for (const host of this.#hosts.values()) {
      seats.set(host.brokerId, { host, replicas: 0, leads: 0, followers: [], successors: [] });
    }
    for (const replicas of present) {
      for (const [i, brokerId] of replicas.entries()) {
        const seat = seats.get(brokerId);
        if (seat === undefined) continue;
        seat.replicas++;
        if (i === 0) seat.leads++;
      }
    }
    return [...seats.values()].sort(
      (a, b) =>
        Number(b.host.isActive) - Number(a.host.isActive) ||
        a.leads - b.leads ||
        a.host.leaders - b.host.leaders ||
        a.host.replicas - b.host.replicas ||
        a.host.brokerId - b.host.brokerId,
    );
  }
}

function seatAt(seats: readonly Seat[], index: number): Seat {
  return must(seats[index], 'a seat');
}

/** The seats of one partition's replicas, the leader's first. Where all else is equal, the next ones from `shift` on are taken. */
function chooseReplicas(seats: readonly Seat[], leader: number, shift: number, replicationFactor: number): number[] {
  const { followers, successors, host } = seatAt(seats, leader);
  const turnOf = (seat: number): number => (seat - leader - shift + 2 * seats.length * shift) % seats.length;
  const chosen = [leader];
  const racks = [host.rack];
  const better = (a: number, b: number): boolean => {
    const one = seats[a] as Seat; // of a loop that is run for every broker of every replica
    const two = seats[b] as Seat;
    const order =
      Number(two.host.isActive) - Number(one.host.isActive) ||
      timesIn(racks, one.host.rack) - timesIn(racks, two.host.rack) ||
      one.replicas - two.replicas ||
      (followers[a] ?? 0) - (followers[b] ?? 0) ||
      one.host.replicas - two.host.replicas ||
      turnOf(a) - turnOf(b);
    return order < 0;
  };
  while (chosen.length < replicationFactor) {
    let best = -1;
    for (let seat = 0; seat < seats.length; seat++) {
      if (!chosen.includes(seat) && (best < 0 || better(seat, best))) best = seat;
    }
    chosen.push(best);
    racks.push(seatAt(seats, best).host.rack);
    followers[best] = (followers[best] ?? 0) + 1;
  }
  for (const seat of chosen) seatAt(seats, seat).replicas++;
  const rest = chosen.slice(1).sort((a, b) => (successors[a] ?? 0) - (successors[b] ?? 0) || turnOf(a) - turnOf(b));
  const [successor] = rest;
  if (successor !== undefined) successors[successor] = (successors[successor] ?? 0) + 1;
  return [leader, ...rest];
}

function timesIn(racks: readonly number[], rack: number): number {
  let times = 0;
  for (const other of racks) if (other === rack) times++;
  return times;
}

function directoryFor({ logDirs }: BrokerRegistration): Uuid {
  const [only, ...others] = logDirs;
  return only === undefined || others.length > 0 ? ZERO_UUID : only;
}
