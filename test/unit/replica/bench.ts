// A broker's replicas on a simulated disk, following metadata that the test writes.

import { must } from '../../../src/base/assert.ts';
import type { NodeValues } from '../../../src/config/node-keys.ts';
import type { Env } from '../../../src/env/env.ts';
import { EnvError } from '../../../src/env/error.ts';
import type { MetadataRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import { LogDirectory } from '../../../src/log/log-directory.ts';
import { createLogShared } from '../../../src/log/log-shared.ts';
import { writeMetaProperties } from '../../../src/log/storage.ts';
import { MetadataPublisher } from '../../../src/metadata/publisher.ts';
import { encodeRecord } from '../../../src/metadata/record.ts';
import type { AlterPartitions } from '../../../src/replica/alter-partitions.ts';
import type { LossReports } from '../../../src/replica/loss-reports.ts';
import type { Partition } from '../../../src/replica/partition.ts';
import { ReplicaManager } from '../../../src/replica/replica-manager.ts';
import { World } from '../../../src/sim/world/world.ts';
import { configText, parsed } from '../broker/bench.ts';
import { partitionRecord, record, registration, topicRecord, uuid } from '../metadata/fixture.ts';

export const SELF = 1;
const CLUSTER = uuid(999);

export interface Replicas {
  readonly env: Env;
  readonly world: World;
  readonly publisher: MetadataPublisher;
  readonly manager: ReplicaManager;
  /** The first of `directories`. */
  readonly directory: LogDirectory;
  readonly directories: readonly LogDirectory[];
  /** What the manager told of its log dirs: directory ids that failed, and `<topic id>/<partition>` with the id where it is. */
  readonly told: { readonly failed: string[]; readonly misplaced: Map<string, string> };
  /** Commits the records as one batch, and the replicas follow it. */
  readonly commit: (...records: MetadataRecord[]) => void;
  /** Partition 0 of the topic, served. */
  readonly partition: (topicId: string) => Promise<Partition>;
}

/** A controller that does not answer leaders, and takes every loss. */
export const SILENT_CONTROLLER = {
  alterPartitions: {
    alter: (_alteration, signal) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true })),
  } satisfies AlterPartitions,
  lossReports: { report: async () => true } satisfies LossReports,
};

/** Memory that is used once. */
export const NO_POOL = { lend: (size: number) => Buffer.allocUnsafe(size), takeBack: () => {} };

/** Runs `body` in a process whose disk is `world.process('host').disk`; `lives` is how often it was run on the disk before. */
export async function withReplicas(
  body: (replicas: Replicas) => Promise<void>,
  options: {
    readonly keys?: Record<string, string>;
    readonly world?: World;
    readonly before?: MetadataRecord[];
    /** Log dirs; the `i`th has the id `uuid(i + 61)`. Default: /data. */
    readonly paths?: readonly string[];
    /** Of `paths`, those that cannot be opened. */
    readonly unopened?: readonly string[];
    readonly level?: number;
    /** Default: one that has not answered yet when the test ends. */
    readonly alterPartitions?: AlterPartitions;
    /** Default: everything is in the ledger at once. */
    readonly lossReports?: LossReports;
  } = {},
): Promise<World> {
  const { paths = ['/data'], unopened = [] } = options;
  const world = options.world ?? new World({ seed: 3 });
  const host = world.process('host');
  const isNew = host.lives === 0;
  if (isNew) for (const path of paths) host.disk.provision(path);
  host.kill();
  const values: NodeValues = parsed(configText(options.keys)).values;
  await world.run('host', 600_000, async (env) => {
    const owner = { clusterId: CLUSTER, nodeId: SELF };
    for (const [i, path] of isNew ? paths.entries() : []) {
      await writeMetaProperties(env.disk, path, { ...owner, directoryId: uuid(i + 61), version: 1 });
    }
    const { clock, disk, logger, openStore, random } = env;
    const shared = createLogShared(values);
    const directories: LogDirectory[] = [];
    for (const path of paths.filter((each) => !unopened.includes(each))) {
      directories.push(await LogDirectory.open({ clock, disk, logger, openStore, shared }, path, owner));
    }
    const directory = must(directories[0], 'a log dir');
    const publisher = new MetadataPublisher();
    const commit = (...records: MetadataRecord[]): void => {
      const baseOffset = publisher.image.endOffset;
      const endOffset = baseOffset + records.length;
      publisher.apply({ baseOffset, endOffset, epoch: 1, records: records.map(encodeRecord) });
    };
    const told = { failed: [] as string[], misplaced: new Map<string, string>() };
    const manager = new ReplicaManager({
      brokerId: SELF,
      clock,
      random,
      logger,
      logDirectories: directories,
      offlineDirectories: unopened.map((path) => ({ path, failure: new EnvError('IO', `${path} does not answer`) })),
      values,
      alterPartitions: options.alterPartitions ?? SILENT_CONTROLLER.alterPartitions,
      lossReports: options.lossReports ?? SILENT_CONTROLLER.lossReports,
      brokerEpoch: () => brokerEpoch,
      network: env.network,
      buffers: NO_POOL,
      clusterId: CLUSTER,
      interBrokerListener: 'PLAINTEXT',
      logDirWatch: {
        failed: ({ meta }) => told.failed.push(meta.directoryId),
        misplaced: ({ topicId, partition, directoryId }) => told.misplaced.set(`${topicId}/${partition}`, directoryId),
      },
    });
    let brokerEpoch = -1;
    publisher.subscribe((image, delta) => manager.apply(image, delta));
    if (options.level !== undefined)
      commit(record({ $case: 'metadataLevel', metadataLevel: { level: options.level } }));
    commit(registration(SELF));
    brokerEpoch = publisher.image.endOffset - 1;
    if (options.before !== undefined) commit(...options.before);
    await manager.open(() => publisher.image, brokerEpoch);
    const partition = async (topicId: string): Promise<Partition> => {
      const found = await manager.find(topicId, 0);
      if (typeof found === 'string') throw new Error(found);
      return found;
    };
    await body({ env, world, publisher, manager, directory, directories, told, commit, partition });
    await manager.close();
    for (const each of directories) await each.close(true, brokerEpoch);
  });
  return world;
}

/** A topic with one partition on this broker, which leads it in epoch 0. */
export function topic(name: string, topicId: string, fields: Parameters<typeof partitionRecord>[3] = {}) {
  return [topicRecord(name, topicId), partitionRecord(topicId, 0, [SELF], fields)];
}

/** The record that sets a key, or with undefined removes it, for all brokers, or for those of a topic or one broker. */
export function config(scope: ConfigScope, entity: string, key: string, value: string | undefined): MetadataRecord {
  return record({ $case: 'config', config: { scope, entity, key, value } });
}

export function allBrokers(key: string, value: string | undefined): MetadataRecord {
  return config(ConfigScope.BROKER, '', key, value);
}
