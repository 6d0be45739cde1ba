// Three controllers and one broker, each in a process of its own, whose controllers are killed, paused and started again.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ControllerChannel } from '../../src/client/controller-channel.ts';
import type { RpcClient, RpcError } from '../../src/env/network.ts';
import type { CreateTopicsResponse } from '../../src/gen/kvorum/v1/admin.ts';
import { built } from './built.ts';
import { freePorts } from './kvorum.ts';
import type { Build } from './options.ts';
import type { Started } from './process.ts';
import { startNodeProcess } from './process.ts';
import type { Scope } from './scope.ts';

export interface Leadership {
  readonly leaderId: number;
  readonly epoch: number;
}

/** How a creation ended, and what was said. */
export interface Created {
  readonly ok: boolean;
  readonly said: string;
}

const IDS = [1, 2, 3] as const;
const BROKER = 4;
const WITHIN_MS = 60_000;

export class Controllers {
  readonly #scope: Scope;
  readonly #executable: string;
  readonly #files: ReadonlyMap<number, string>;
  readonly #clients: ReadonlyMap<number, RpcClient>;
  readonly #channel: ControllerChannel;
  readonly #admin: typeof import('../../src/gen/kvorum/v1/admin.ts').AdminServiceDefinition;
  readonly #running = new Map<number, Started>();
  #topics = 0;

  private constructor(
    scope: Scope,
    build: Build,
    files: ReadonlyMap<number, string>,
    clients: ReadonlyMap<number, RpcClient>,
    channel: ControllerChannel,
    admin: typeof import('../../src/gen/kvorum/v1/admin.ts').AdminServiceDefinition,
  ) {
    this.#channel = channel;
    this.#scope = scope;
    this.#executable = join(build.dist, 'cli/kvorum.cjs');
    this.#files = files;
    this.#clients = clients;
    this.#admin = admin;
  }

  /** Formats and starts them with these keys beside the defaults; resolves when all follow one leader and the broker serves. */
  static async start(scope: Scope, build: Build, keys: Readonly<Record<string, string>>): Promise<Controllers> {
    const { createEnv } = await built<typeof import('../../src/node/env.ts')>('node/env.js');
    const { AdminServiceDefinition } =
      await built<typeof import('../../src/gen/kvorum/v1/admin.ts')>('gen/kvorum/v1/admin.js');
    const { ControllerChannel } =
      await built<typeof import('../../src/client/controller-channel.ts')>('client/controller-channel.js');
    const folder = scope.folder();
    const ports = await freePorts(5);
    const executable = join(build.dist, 'cli/kvorum.cjs');
    const clusterId = execFileSync(process.execPath, [executable, 'random-id'], { encoding: 'utf8' }).trim();
    const voters = IDS.map((id, i) => `${id}@127.0.0.1:${ports[i]}`).join(',');
    const files = new Map<number, string>();
    const clients = new Map<number, RpcClient>();
    for (const [i, id] of [...IDS, BROKER].entries()) {
      const isBroker = id === BROKER;
      const role = isBroker ? 'broker' : 'controller';
      const bound = `127.0.0.1:${ports[i]}`;
      const own = {
        'node.id': id,
        'process.roles': role,
        'controller.quorum.voters': voters,
        listeners: isBroker ? `GRPC://${bound},PLAINTEXT://127.0.0.1:${ports[4]}` : `CONTROLLER://${bound}`,
        'log.dirs': join(folder, `${role}-${id}`),
        ...keys,
      };
      mkdirSync(own['log.dirs'], { recursive: true });
      const file = join(folder, `${role}-${id}.properties`);
      const text = Object.entries(own).map(([key, value]) => `${key}=${value}\n`);
      writeFileSync(file, text.join(''));
      execFileSync(process.execPath, [executable, 'format', '--cluster-id', clusterId, '--config', file]);
      files.set(id, file);
      clients.set(id, createEnv({ level: 'error' }).network.client({ host: '127.0.0.1', port: ports[i] ?? 0 }));
    }
    scope.defer(() => {
      for (const client of clients.values()) client.close();
    });
    const addresses = IDS.map((id, i) => ({ id, address: { host: '127.0.0.1', port: ports[i] ?? 0 } }));
    const channel = new ControllerChannel(createEnv({ level: 'error' }), addresses);
    scope.defer(() => channel.close());
    const controllers = new Controllers(scope, build, files, clients, channel, AdminServiceDefinition);
    for (const id of files.keys()) controllers.begin(id);
    await controllers.settled();
    return controllers;
  }

  begin(id: number): void {
    const args = [this.#executable, 'start', '--config', this.#files.get(id) ?? ''];
    this.#running.set(id, startNodeProcess(this.#scope, args));
  }

  signal(ids: readonly number[], signal: NodeJS.Signals): void {
    for (const id of ids) this.#running.get(id)?.child.kill(signal);
  }

  /** Starts those again that were killed, or wakes those that were paused, and waits until all follow one leader. */
  async restore(ids: readonly number[], how: NodeJS.Signals): Promise<void> {
    if (how === 'SIGSTOP') {
      this.signal(ids, 'SIGCONT');
    } else {
      for (const id of ids) {
        const child = this.#running.get(id)?.child;
        while (child !== undefined && child.exitCode === null && child.signalCode === null) await sleep(5);
        this.begin(id);
      }
    }
    await this.settled();
  }

  /** The leadership, once all three have everything and a topic can be created. */
  async settled(): Promise<Leadership> {
    const deadline = performance.now() + WITHIN_MS;
    let seen = '';
    for (;;) {
      const leadership = await this.leadership(IDS, 500);
      seen = `leader ${leadership?.leaderId ?? 'none'}`;
      if (leadership !== undefined) {
        const view = await this.#describe(leadership.leaderId, 500).catch(() => undefined);
        const following = (view?.voters ?? []).filter(
          ({ logEndOffset, lastFetchAgeMs }) =>
            logEndOffset >= (view?.highWatermark ?? 0) && lastFetchAgeMs >= 0 && lastFetchAgeMs < 1000,
        );
        const isSettled = following.length === IDS.length && (await this.#allAnswer());
        seen += `, followed by ${following.map(({ nodeId }) => nodeId).join(' and ')}`;
        if (isSettled) {
          const { ok, said } = await this.create(BROKER);
          if (ok) return leadership;
          seen += `, a topic is not created: ${said}`;
        }
      }
      if (performance.now() > deadline) throw new Error(`not settled within ${WITHIN_MS} ms: ${seen}`);
      await sleep(50);
    }
  }

  /** What those say that lead, the latest epoch. */
  async leadership(among: readonly number[], limitMs: number): Promise<Leadership | undefined> {
    const answers = await Promise.all(among.map((id) => this.#describe(id, limitMs).catch(() => undefined)));
    const leading = answers.flatMap((answer) => (answer?.fromLeader === true ? [answer] : []));
    const latest = leading.toSorted((a, b) => b.leaderEpoch - a.leaderEpoch)[0];
    return latest === undefined ? undefined : { leaderId: latest.leaderId, epoch: latest.leaderEpoch };
  }

  /** Whether this process has found again those that were gone. */
  async #allAnswer(): Promise<boolean> {
    const answers = IDS.map((id) =>
      this.#describe(id, 500).then(
        () => true,
        (error: unknown) => (error as RpcError).transport === undefined,
      ),
    );
    return (await Promise.all(answers)).every(Boolean);
  }

  #describe(id: number, limitMs: number) {
    const client = this.#clientOf(id);
    return client.call(this.#admin, this.#admin.methods.describeQuorum, { forwarded: true }, limitMs);
  }

  /** Creates a topic, through the broker unless another node is named. */
  async create(through: number = BROKER): Promise<Created> {
    const topic = { name: `t${++this.#topics}`, partitions: 1, replicationFactor: -1, configs: {}, assignments: [] };
    const request = { topics: [topic], validateOnly: false, forwarded: false };
    try {
      const { createTopics } = this.#admin.methods;
      const answer = await this.#clientOf(through).call(this.#admin, createTopics, request, 20_000);
      const error = answer.topics[0]?.error;
      return { ok: error === undefined, said: error?.message ?? '' };
    } catch (error) {
      return { ok: false, said: (error as Error).message };
    }
  }

  /** Creates a topic through the broker; its id. Throws where it was not created, or that is not known. */
  createNamed(name: string): Promise<string> {
    const { createTopics } = this.#admin.methods;
    return this.#clientOf(BROKER).call(this.#admin, createTopics, creationOf(name), 20_000).then(idOf);
  }

  /** The same at the active controller, whichever that is. */
  createAtActive(name: string): Promise<string> {
    const { createTopics } = this.#admin.methods;
    const options = { repeatable: false };
    return this.#channel.call(this.#admin, createTopics, creationOf(name), 20_000, options).then(idOf);
  }

  /** Ids of all topics by name, as each node knows them that has everything committed so far. */
  async topicsEverywhere(): Promise<ReadonlyMap<string, string>[]> {
    const { createTopics, listTopics } = this.#admin.methods;
    const last = creationOf(`last-${++this.#topics}`);
    const { metadataEndOffset } = await this.#clientOf(BROKER).call(this.#admin, createTopics, last, 20_000);
    const deadline = performance.now() + WITHIN_MS;
    return Promise.all(
      [...this.#clients.values()].map(async (client) => {
        for (;;) {
          const answer = await client.call(this.#admin, listTopics, {}, 20_000);
          if (answer.metadataEndOffset >= metadataEndOffset) {
            return new Map(answer.topics.map(({ name, topicId }) => [name, topicId]));
          }
          if (performance.now() > deadline) throw new Error('a node does not catch up');
          await sleep(20);
        }
      }),
    );
  }

  #clientOf(id: number): RpcClient {
    const client = this.#clients.get(id);
    if (client === undefined) throw new Error(`there is no node ${id}`);
    return client;
  }

  othersThan(id: number): number[] {
    return IDS.filter((other) => other !== id);
  }
}

function creationOf(name: string) {
  const topic = { name, partitions: 1, replicationFactor: -1, configs: {}, assignments: [] };
  return { topics: [topic], validateOnly: false, forwarded: false };
}

function idOf({ topics: [topic] }: CreateTopicsResponse): string {
  if (topic === undefined || topic.error !== undefined) throw new Error(topic?.error?.message ?? 'no answer');
  return topic.topicId;
}
