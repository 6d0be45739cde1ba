// The broker of a node, over the log dirs that can be opened.
import type { BrokerDeps } from '../broker/broker.ts';
import { Broker } from '../broker/broker.ts';
import type { ControllerChannel } from '../client/controller-channel.ts';
import type { NodeConfig } from '../config/node-config.ts';
import type { Env } from '../env/env.ts';
import type { MetaProperties } from '../log/storage.ts';
import { openLogDirectories } from './log-directories.ts';

/** StartError; StorageError. `undo` takes back what was opened. */
export async function createBroker(
  env: Env,
  config: NodeConfig,
  meta: MetaProperties,
  links: Pick<BrokerDeps, 'publisher' | 'admin' | 'quorumLeader' | 'fatal'> & { readonly channel: ControllerChannel },
  undo: (() => Promise<void> | void)[],
): Promise<Broker> {
  const { channel, ...others } = links;
  const { opened, offline } = await openLogDirectories(env, config, meta, undo);
  return new Broker({
    ...others,
    env,
    config,
    clusterId: meta.clusterId,
    controller: channel,
    logDirectories: opened,
    offlineDirectories: offline,
  });
}
