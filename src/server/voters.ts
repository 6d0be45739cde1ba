// Who the controllers are: from controller.quorum.voters, or asked of controller.quorum.bootstrap.servers (their node ids); and
// once the log names the voters, from there.
import type { Ms, NodeId } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import { ZERO_UUID } from '../base/uuid.ts';
import { parseHostPort } from '../config/listeners.ts';
import type { NodeConfig } from '../config/node-config.ts';
import type { Env } from '../env/env.ts';
import type { Address, RpcClient, RpcService } from '../env/network.ts';
import { RpcError, rpcService } from '../env/network.ts';
import { invalidArgument } from '../env/rpc-failures.ts';
import type { IdentifyResponse } from '../gen/kvorum/v1/raft.ts';
import { DiscoveryServiceDefinition as Discovery } from '../gen/kvorum/v1/raft.ts';
import { LATEST_METADATA_LEVEL, MIN_METADATA_LEVEL } from '../metadata/record.ts';
import type { QuorumDescription, ReplicaKey } from '../raft/types.ts';
import { StartError } from './start-error.ts';

const ASK_TIMEOUT_MS = 1000;
const RETRY_MS = 100;
/** An address without answer is told of after this. */
const PATIENCE_MS = 5000;

/** Answers who this controller is, where others should reach it (host:port), and the voters that its log names. */
export function discoveryService(
  self: Self,
  facts: { readonly endpoint: () => string; readonly voters: () => QuorumDescription['voters'] },
): RpcService {
  // Until the log names them, nobody knows which disks vote (R-0.3a).
  const voters = () => facts.voters().filter(({ replica }) => replica.directoryId !== ZERO_UUID);
  return rpcService(Discovery, {
    identify: async () => ({
      ...self,
      minMetadataLevel: MIN_METADATA_LEVEL,
      maxMetadataLevel: LATEST_METADATA_LEVEL,
      endpoint: facts.endpoint(),
      voters: voters().map(({ replica, endpoint }) => ({ replica, endpoint })),
    }),
  });
}

/** Who answers at `endpoint`. RpcError; INVALID_ARGUMENT if it is no host:port. */
export async function identify(env: Pick<Env, 'network'>, endpoint: string): Promise<IdentifyResponse> {
  const address = parseHostPort(endpoint);
  if (address === undefined || address.host === '' || address.port === 0) {
    throw invalidArgument('controller', `controller is '${endpoint}': give host:port, for example 127.0.0.1:9093`);
  }
  const client = env.network.client(address);
  try {
    return await client.call(Discovery, Discovery.methods.identify, {}, ASK_TIMEOUT_MS);
  } finally {
    client.close();
  }
}

/**
 * The controllers by id: the voters in force, where they were configured or found, else where the log says; while the log names
 * none, those that were configured or found.
 */
export function controllersInForce(
  voters: QuorumDescription['voters'],
  known: readonly { id: NodeId; address: Address }[],
): { id: NodeId; address: Address }[] {
  if (voters.length === 0) return [...known];
  return voters
    .flatMap(({ replica: { id }, endpoint }) => {
      const address = known.find((other) => other.id === id)?.address ?? parseHostPort(endpoint);
      return address === undefined ? [] : [{ id, address }];
    })
    .sort((a, b) => a.id - b.id);
}

export interface VoterSearch {
  /**
   * All voters, or with `all` false those known now but at least one. Where one of them belongs to a cluster that exists already,
   * its voters but this node: it joins as an observer, and learns from the log who votes now (R-0.3a, R-11).
   */
  find(all: boolean): Promise<ReadonlyMap<NodeId, Address>>;
  /** Those known now, by id. */
  known(): { id: NodeId; address: Address }[];
  stop(): void;
}

interface Self {
  readonly clusterId: Uuid;
  readonly replica: ReplicaKey;
}

export interface SearchHooks {
  /** A voter became known later than `find` returned. */
  found(id: NodeId, address: Address): void;
  /** Every configured voter but this node has answered, each as one of another cluster: nothing can come of it. */
  foreign(reason: string): void;
}

export function searchVoters(env: Env, config: NodeConfig, self: Self, hooks: SearchHooks): VoterSearch {
  const known = new Map(config.voters.map(({ id, address }) => [id, address]));
  const inOrder = () => [...known].map(([id, address]) => ({ id, address })).sort((a, b) => a.id - b.id);
  const asker = new Asker(env, self);
  if (config.bootstrapServers.length === 0) {
    return {
      find: async () => {
        if (config.isController) void checkConfigured(config, asker, self, hooks);
        return known;
      },
      known: inOrder,
      stop: () => asker.stop(),
    };
  }

  function find(all: boolean): Promise<ReadonlyMap<NodeId, Address>> {
    return new Promise((resolve, reject) => {
      const waiting = new Set(config.bootstrapServers);
      /** What was heard last at each address: the cluster, '' for this node itself. */
      const clusters = new Map<Address, string>();
      let isSettled = false;
      const settle = (): void => {
        isSettled = true;
        resolve(new Map(known));
      };
      const hear = (address: Address, { replica, voters }: Identity): boolean => {
        waiting.delete(address);
        const isOther = replica.id !== self.replica.id;
        if (isSettled) {
          if (isOther) hooks.found(replica.id, address);
          return true;
        }
        if (isOther || replica.directoryId === self.replica.directoryId) known.set(replica.id, address);
        const others = all ? othersOf(voters, self.replica.id) : [];
        if (others.length > 0) {
          known.delete(self.replica.id);
          for (const voter of others) if (!known.has(voter.id)) known.set(voter.id, voter.address);
          settle();
        } else if (waiting.size === 0 || (!all && known.size > 0)) settle();
        return isSettled;
      };
      // Not to wait for ever where nobody belongs together with this node.
      const hearCluster = (address: Address, { clusterId, replica }: IdentifyResponse): void => {
        clusters.set(address, clusterId === self.clusterId && replica?.id === self.replica.id ? '' : clusterId);
        const others = [...clusters.values()].filter((id) => id !== '');
        if (isSettled || clusters.size < config.bootstrapServers.length || others.length === 0) return;
        if (others.every((id) => id !== self.clusterId)) {
          reject(new StartError(foreignCluster(self.clusterId, others, 'controller.quorum.bootstrap.servers')));
        }
      };
      for (const address of config.bootstrapServers) {
        void asker.until(
          address,
          (answer) => hearCluster(address, answer),
          (identity) => hear(address, identity),
        );
      }
    });
  }
  return { find, known: inOrder, stop: () => asker.stop() };
}

/** Whether the controllers at the configured addresses are those that are configured, as soon as each of them answers. */
async function checkConfigured(config: NodeConfig, asker: Asker, self: Self, hooks: SearchHooks): Promise<void> {
  const others = config.voters.filter(({ id }) => id !== self.replica.id);
  const clusters = await Promise.all(others.map((voter) => asker.check(voter)));
  const answered = clusters.filter((clusterId) => clusterId !== undefined);
  if (others.length === 0 || answered.length < others.length || answered.includes(self.clusterId)) return;
  hooks.foreign(foreignCluster(self.clusterId, answered, 'controller.quorum.voters'));
}

/** R-0.3a: none of the controllers that `key` names is of the cluster that this node's folders were formatted for. */
function foreignCluster(clusterId: Uuid, others: readonly string[], key: string): string {
  const theirs = [...new Set(others)].join("', '");
  return `this node is formatted for cluster '${clusterId}', the controllers of ${key} are of cluster '${theirs}': correct ${key}, or format empty folders for their cluster`;
}

interface Identity {
  readonly replica: ReplicaKey;
  /** None while it knows of no cluster that exists. */
  readonly voters: IdentifyResponse['voters'];
}

/** The voters whose address is known, without this node. */
function othersOf(voters: Identity['voters'], own: NodeId): { id: NodeId; address: Address }[] {
  return voters.flatMap(({ replica, endpoint }) => {
    const address = parseHostPort(endpoint);
    return address === undefined || replica === undefined || replica.id === own ? [] : [{ id: replica.id, address }];
  });
}

/** Asks controllers who they are, and tells the operator what cannot be right. */
class Asker {
  readonly #env: Env;
  readonly #self: Self;
  readonly #pauses = new Set<() => void>();
  #stopped = false;

  constructor(env: Env, self: Self) {
    this.#env = env;
    this.#self = self;
  }

  stop(): void {
    this.#stopped = true;
    for (const end of this.#pauses) end();
    this.#pauses.clear();
  }

  /** Asks again and again until `heard` has enough of the answers of this cluster; `answered` gets every answer. */
  async until(
    address: Address,
    answered: (answer: IdentifyResponse) => void,
    heard: (identity: Identity) => boolean,
  ): Promise<void> {
    const { clock, logger, network } = this.#env;
    const client = network.client(address);
    const said = new Set<string>();
    const sayOnce = (event: string, fields: object): void => {
      if (!said.has(event)) logger.error(event, { address, ...fields });
      said.add(event);
    };
    const toldAt = clock.now() + PATIENCE_MS;
    let told = false;
    try {
      while (!this.#stopped) {
        if (!told && clock.now() >= toldAt) {
          told = true;
          logger.warn('controller-not-found', { address, fix: 'start it, or correct the bootstrap servers' });
        }
        const answer = await ask(client);
        if (answer !== undefined) answered(answer);
        if (answer?.replica !== undefined && this.#isOurs(answer, sayOnce)) {
          this.#checkId(answer.replica, sayOnce);
          if (heard({ replica: answer.replica, voters: answer.voters })) return;
        }
        await this.#pause(RETRY_MS);
      }
    } finally {
      client.close();
    }
  }

  /** Whether the controller at a configured address is the one that is configured: its cluster, once it answers. */
  async check({ id, address }: { readonly id: NodeId; readonly address: Address }): Promise<Uuid | undefined> {
    const client = this.#env.network.client(address);
    let answer: IdentifyResponse | undefined;
    while (!this.#stopped && answer?.replica === undefined) {
      answer = await ask(client);
      if (answer?.replica === undefined) await this.#pause(PATIENCE_MS);
    }
    client.close();
    if (answer?.replica === undefined || this.#stopped) return undefined;
    const say = (event: string, fields: object): void => this.#env.logger.error(event, { address, ...fields });
    if (!this.#isOurs(answer, say)) return answer.clusterId;
    this.#checkId(answer.replica, say);
    if (answer.replica.id !== id) {
      say('wrong-controller', {
        nodeId: answer.replica.id,
        expected: id,
        fix: 'correct controller.quorum.voters, or node.id of the controller at that address',
      });
    }
    return answer.clusterId;
  }

  /** Ends early when the search is stopped. */
  #pause(delayMs: Ms): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#env.clock.schedule(delayMs, () => {
        this.#pauses.delete(end);
        resolve();
      });
      const end = (): void => {
        timer.cancel();
        resolve();
      };
      this.#pauses.add(end);
    });
  }

  #isOurs({ clusterId }: IdentifyResponse, say: (event: string, fields: object) => void): boolean {
    const expected = this.#self.clusterId;
    if (clusterId !== expected) say('foreign-controller', { clusterId, expected });
    return clusterId === expected;
  }

  #checkId({ id, directoryId }: ReplicaKey, say: (event: string, fields: object) => void): void {
    const { replica } = this.#self;
    if (id !== replica.id || directoryId === replica.directoryId) return;
    say('duplicate-node-id', {
      nodeId: id,
      fix: `two controllers have node.id ${id}, this one and the one at that address: give one of them another node.id, format it anew and restart it`,
    });
  }
}

async function ask(client: RpcClient): Promise<IdentifyResponse | undefined> {
  try {
    return await client.call(Discovery, Discovery.methods.identify, {}, ASK_TIMEOUT_MS);
  } catch (error) {
    if (error instanceof RpcError) return undefined;
    throw error;
  }
}
