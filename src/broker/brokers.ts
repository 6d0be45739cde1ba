// Brokers as clients are told about them: those alive, at the address of the listener that was asked (behaviour 6).
import type { NodeId } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { BrokerRegistration, MetadataImage } from '../metadata/image.ts';
import { brokersInOrder } from '../metadata/image.ts';

export interface BrokerAddress {
  readonly nodeId: NodeId;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
}

/** Where a broker is reached on a listener; undefined if it has none of that name. */
export function addressOf(broker: BrokerRegistration, listener: string): BrokerAddress | undefined {
  const endpoint = broker.endpoints.find((it) => it.listener === listener);
  if (endpoint === undefined) return undefined;
  return { nodeId: broker.brokerId, host: endpoint.host, port: endpoint.port, rack: broker.rack || null };
}

/** Brokers that are not fenced, by id. */
export function aliveBrokers(image: MetadataImage, listener: string): BrokerAddress[] {
  return brokersInOrder(image).flatMap((broker) => {
    const address = broker.fenced ? undefined : addressOf(broker, listener);
    return address === undefined ? [] : [address];
  });
}

/** A live broker to send administration to, ourselves if alive: any broker forwards it. -1 if there is none. */
export function anyAliveBroker(image: MetadataImage, self: NodeId): NodeId {
  if (image.brokers.get(self)?.fenced === false) return self;
  return brokersInOrder(image).find((broker) => !broker.fenced)?.brokerId ?? NO_NODE;
}

/** Where to go for a partition that another broker leads (KIP-951). */
export function leaderHint(
  image: MetadataImage,
  state: { readonly leader: NodeId; readonly leaderEpoch: number } | undefined,
  listener: string,
): { currentLeader: { leaderId: NodeId; leaderEpoch: number }; endpoint: BrokerAddress } | undefined {
  const broker = state === undefined ? undefined : image.brokers.get(state.leader);
  if (state === undefined || broker === undefined || broker.fenced) return undefined;
  const endpoint = addressOf(broker, listener);
  if (endpoint === undefined) return undefined;
  return { currentLeader: { leaderId: state.leader, leaderEpoch: state.leaderEpoch }, endpoint };
}
