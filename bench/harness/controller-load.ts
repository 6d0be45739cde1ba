// Three controllers in processes of their own, three brokers that only the controllers know of, and calls that create topics.

import type { ControllerChannel } from '../../src/client/controller-channel.ts';
import type { RpcError } from '../../src/env/network.ts';
import type { CreateTopicsResponse } from '../../src/gen/kvorum/v1/admin.ts';
import { built } from './built.ts';
import type { StartedNode } from './kvorum.ts';
import { startSeparately } from './kvorum.ts';
import { watchArgs } from './loop-watch.ts';
import type { Build } from './options.ts';
import type { Scope } from './scope.ts';
import { StandIns } from './stand-ins.ts';

export const BROKER_IDS = [11, 12, 13] as const;
export const PARTITIONS_PER_TOPIC = 10;

const TIMEOUT_MS = 60_000;

export interface Load {
  readonly topics: number;
  readonly partitions: number;
  /** Topics in one call. */
  readonly perCall: number;
  /** Calls under way at once. */
  readonly inFlight: number;
}

export class ControllerLoad {
  readonly controllers: readonly StartedNode[];
  readonly standIns: StandIns;
  /** Where {@link worstPause} finds what controllers say. */
  readonly folder: string;
  readonly #channel: ControllerChannel;
  readonly #admin: typeof import('../../src/gen/kvorum/v1/admin.ts').AdminServiceDefinition;
  #topics = 0;
  #replicationFactor: number = BROKER_IDS.length;

  private constructor(
    parts: Pick<ControllerLoad, 'controllers' | 'standIns' | 'folder'>,
    channel: ControllerChannel,
    admin: typeof import('../../src/gen/kvorum/v1/admin.ts').AdminServiceDefinition,
  ) {
    this.controllers = parts.controllers;
    this.standIns = parts.standIns;
    this.folder = parts.folder;
    this.#channel = channel;
    this.#admin = admin;
  }

  static async start(scope: Scope, build: Build, profileDir: string | undefined): Promise<ControllerLoad> {
    const folder = scope.folder();
    const profile = profileDir === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profileDir];
    const options = { brokers: 0, nodeArgs: [...profile, ...watchArgs(folder)] };
    const { controllers, clusterId } = await startSeparately(scope, build, options);
    const { createEnv } = await built<typeof import('../../src/node/env.ts')>('node/env.js');
    const { ControllerChannel } =
      await built<typeof import('../../src/client/controller-channel.ts')>('client/controller-channel.js');
    const { AdminServiceDefinition } =
      await built<typeof import('../../src/gen/kvorum/v1/admin.ts')>('gen/kvorum/v1/admin.js');
    const addresses = controllers.map(({ nodeId, port }) => ({ id: nodeId, address: { host: '127.0.0.1', port } }));
    const channel = new ControllerChannel(createEnv({ level: 'error' }), addresses);
    scope.defer(() => channel.close());
    const standIns = await StandIns.register(scope, channel, clusterId, BROKER_IDS);
    const parts = { controllers, standIns, folder };
    const load = new ControllerLoad(parts, channel, AdminServiceDefinition);
    await load.#findReplicationFactor();
    return load;
  }

  /** 3, or 1 where the build cannot create topics with replicas. */
  get replicationFactor(): number {
    return this.#replicationFactor;
  }

  async #findReplicationFactor(): Promise<void> {
    try {
      await this.create(1, 1);
    } catch (error) {
      if ((error as RpcError).status !== 'UNIMPLEMENTED') throw error;
      this.#replicationFactor = 1;
    }
  }

  /** Creates topics in one call; throws if one of them is not created. */
  async create(topics: number, partitions: number): Promise<CreateTopicsResponse> {
    const shape = { partitions, replicationFactor: this.#replicationFactor, assignments: [], configs: {} };
    const request = {
      topics: Array.from({ length: topics }, () => ({ name: `topic-${this.#topics++}`, ...shape })),
      validateOnly: false,
      forwarded: false,
    };
    const options = { repeatable: false };
    const answer = await this.#channel.call(
      this.#admin,
      this.#admin.methods.createTopics,
      request,
      TIMEOUT_MS,
      options,
    );
    const failed = answer.topics.find(({ error }) => error !== undefined);
    if (failed !== undefined) throw new Error(`topic ${failed.name}: ${failed.error?.message}`);
    return answer;
  }

  /** Milliseconds until all are created. */
  async createMany({ topics, partitions, perCall, inFlight }: Load): Promise<number> {
    const started = performance.now();
    let left = topics;
    const work = async (): Promise<void> => {
      while (left > 0) {
        const count = Math.min(perCall, left);
        left -= count;
        await this.create(count, partitions);
      }
    };
    await Promise.all(Array.from({ length: inFlight }, work));
    return performance.now() - started;
  }

  describe() {
    return this.#channel.call(this.#admin, this.#admin.methods.describeCluster, {}, TIMEOUT_MS);
  }

  /** The active controller. */
  async active(): Promise<StartedNode> {
    const { controllerId } = await this.describe();
    const node = this.controllers.find(({ nodeId }) => nodeId === controllerId);
    if (node === undefined) throw new Error('no controller is active');
    return node;
  }
}
