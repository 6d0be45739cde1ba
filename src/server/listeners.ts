// The listeners of a node: binds those of one kind, and says where others reach them.
import type { ListenerKind } from '../config/listeners.ts';
import type { NodeConfig } from '../config/node-config.ts';
import type { Address, Listener } from '../env/network.ts';
import { endpointOf } from '../quorum/peers.ts';

/** Binds all of that kind, or none. */
export async function listen(
  config: NodeConfig,
  kind: ListenerKind,
  bindTo: (at: Address) => Promise<Listener>,
): Promise<Listener[]> {
  const listeners: Listener[] = [];
  try {
    for (const { bind, kind: its } of config.listeners) {
      if (its === kind) listeners.push(await bindTo(bind));
    }
  } catch (error) {
    await closeAll(listeners);
    throw error;
  }
  return listeners;
}

export async function closeAll(listeners: readonly Listener[]): Promise<void> {
  for (const listener of listeners) await listener.close();
}

/** Where others reach this node's controller listener; '' for a mere broker. */
export function controllerEndpoint(config: NodeConfig, bound: readonly Listener[]): string {
  const [first] = endpointsOf(config, 'controller', bound);
  return first === undefined ? '' : endpointOf(first);
}

/** What others are told: the bound port where the advertised one is 0. */
export function endpointsOf(config: NodeConfig, kind: ListenerKind, bound: readonly Listener[]) {
  return config.listeners
    .filter((listener) => listener.kind === kind)
    .map(({ name, advertised }, i) => ({
      listener: name,
      host: advertised.host,
      port: advertised.port || (bound[i]?.address.port ?? 0),
    }));
}
