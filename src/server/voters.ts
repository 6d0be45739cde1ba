// Who the controllers are: from controller.quorum.voters, or asked of controller.quorum.bootstrap.servers (their node ids).
import type { NodeId } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { NodeConfig } from '../config/node-config.ts';
import { sleep } from '../env/clock.ts';
import type { Env } from '../env/env.ts';
import type { Address, RpcService } from '../env/network.ts';
import { RpcError, rpcService } from '../env/network.ts';
import { DiscoveryServiceDefinition as Discovery } from '../gen/kvorum/v1/raft.ts';
import type { ReplicaKey } from '../raft/types.ts';

const ASK_TIMEOUT_MS = 1000;
const RETRY_MS = 100;
/** An address without answer is told of after this. */
const PATIENCE_MS = 5000;

/** Answers who this controller is. */
export function discoveryService(clusterId: Uuid, replica: ReplicaKey): RpcService {
  return rpcService(Discovery, { identify: async () => ({ clusterId, replica }) });
}

export interface VoterSearch {
  /** All of them, or those known now but at least one. */
  find(all: boolean): Promise<ReadonlyMap<NodeId, Address>>;
  /** Those known now, by id. */
  known(): { id: NodeId; address: Address }[];
  stop(): void;
}

/** `found` is told of each voter that becomes known later than `find` returned. */
export function searchVoters(
  env: Env,
  config: NodeConfig,
  clusterId: Uuid,
  found: (id: NodeId, address: Address) => void,
): VoterSearch {
  const known = new Map(config.voters.map(({ id, address }) => [id, address]));
  const inOrder = () => [...known].map(([id, address]) => ({ id, address })).sort((a, b) => a.id - b.id);
  if (config.bootstrapServers.length === 0) return { find: async () => known, known: inOrder, stop: () => {} };

  let stopped = false;
  async function identify(address: Address): Promise<void> {
    const client = env.network.client(address);
    let warned = '';
    const toldAt = env.clock.now() + PATIENCE_MS;
    let told = false;
    try {
      while (!stopped) {
        if (!told && env.clock.now() >= toldAt) {
          told = true;
          env.logger.warn('controller-not-found', { address, fix: 'start it, or correct the bootstrap servers' });
        }
        const answer = await ask(client);
        if (answer?.replica !== undefined && answer.clusterId === clusterId) {
          known.set(answer.replica.id, address);
          found(answer.replica.id, address);
          return;
        }
        if (answer !== undefined && answer.clusterId !== warned) {
          warned = answer.clusterId;
          env.logger.error('foreign-controller', { address, clusterId: answer.clusterId, expected: clusterId });
        }
        await sleep(env.clock, RETRY_MS);
      }
    } finally {
      client.close();
    }
  }

  async function ask(client: ReturnType<Env['network']['client']>) {
    try {
      return await client.call(Discovery, Discovery.methods.identify, {}, ASK_TIMEOUT_MS);
    } catch (error) {
      if (error instanceof RpcError) return undefined;
      throw error;
    }
  }

  return {
    async find(all) {
      const searches = config.bootstrapServers.map(identify);
      if (all) await Promise.all(searches);
      else await Promise.any(searches);
      return new Map(known);
    },
    known: inOrder,
    stop() {
      stopped = true;
    },
  };
}
