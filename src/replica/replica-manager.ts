// All replicas of this broker. Follows the committed metadata from its own registration on (D-0.7), opens, leads, and deletes
// partitions as it says, and finds the partition that a request names.
import { assert } from '../base/assert.ts';
import type { NodeId, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import { LOST_DIRECTORY, ZERO_UUID } from '../base/uuid.ts';
import type { NodeValues } from '../config/node-keys.ts';
import type { Clock } from '../env/clock.ts';
import { EnvError, isEnvError } from '../env/error.ts';
import type { Logger } from '../env/logger.ts';
import type { Network } from '../env/network.ts';
import type { Random } from '../env/random.ts';
import type { OfflineDirectory } from '../log/directory-health.ts';
import { isDiskFailure } from '../log/directory-health.ts';
import type { LogDirectory } from '../log/log-directory.ts';
import type { MetadataDelta } from '../metadata/delta.ts';
import type { MetadataImage, PartitionState, TopicImage } from '../metadata/image.ts';
import { partitionOf, topicByName } from '../metadata/image.ts';
import { ELR_LEVEL } from '../metadata/level.ts';
import type { ErrorName } from '../protocol/error-codes.ts';
import type { AlterPartitions } from './alter-partitions.ts';
import { Checkpointer } from './checkpointer.ts';
import { Cleaner } from './cleaner.ts';
import { ClusterView } from './cluster-view.ts';
import type { FetchManager } from './fetch-manager.ts';
import { createFetchManager } from './fetch-manager.ts';
import type { FetcherDeps } from './fetcher.ts';
import { HostedPartition } from './hosted-partition.ts';
import { IsrWatch } from './isr-watch.ts';
import type { ReplicaPlace } from './log-dirs.ts';
import { LogDirs } from './log-dirs.ts';
import type { LossReports } from './loss-reports.ts';
import type { PartitionDeps } from './partition.ts';
import { Partition } from './partition.ts';
import type { Place } from './replica-places.ts';
import { ReplicaPlaces } from './replica-places.ts';
import { standingOf } from './replica-standing.ts';
import { moveStraysAside } from './strays.ts';
import type { ReplicationThrottles } from './throttles.ts';
import { Upkeep } from './upkeep.ts';

export interface ReplicaManagerDeps {
  readonly brokerId: NodeId;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly logDirectories: readonly LogDirectory[];
  /** Those of log.dirs that could not be opened. */
  readonly offlineDirectories?: readonly OfflineDirectory[];
  readonly values: NodeValues;
  readonly alterPartitions: AlterPartitions;
  readonly lossReports: LossReports;
  /** Of this broker's registration. */
  readonly brokerEpoch: () => Offset;
  /** Where leaders are fetched from. */
  readonly network: Network;
  readonly buffers: FetcherDeps['buffers'];
  readonly clusterId: Uuid;
  /** inter.broker.listener.name. */
  readonly interBrokerListener: string;
  /** What the cluster is to hear of log dirs. */
  readonly logDirWatch?: LogDirWatch;
}

export interface LogDirWatch {
  /**
   * The replica is in that log dir, and the metadata does not say so; told again with each of its states until it does. LOST_DIRECTORY: it
   * cannot be counted on, though its log dir works (D-10.2).
   */
  misplaced(replica: { topicId: Uuid; partition: number; directoryId: Uuid }): void;
  /** The log dir has gone offline, and its partitions with it. */
  failed(directory: LogDirectory): void;
}

export class ReplicaManager {
  readonly logDirs: LogDirs;
  readonly #deps: ReplicaManagerDeps;
  readonly #partitionDeps: PartitionDeps;
  readonly #places = new ReplicaPlaces();
  readonly #cluster: ClusterView;
  /** Folders that are being deleted, by name: a topic created again under the name waits for that (D-0.5). */
  readonly #leaving = new Map<string, Promise<void>>();
  /** Damaged logs whose replicas were begun anew in this life. */
  readonly #begunAnew = new Set<string>();
  #opened = false;
  /** The metadata level that was seen last. */
  #level = 0;
  readonly #checkpointer: Checkpointer;
  readonly #upkeep: Upkeep;
  readonly #cleaner: Cleaner;
  readonly #isrWatch: IsrWatch;
  readonly #fetchManager: FetchManager;
  #closing = false;

  constructor(deps: ReplicaManagerDeps) {
    this.#deps = deps;
    const cluster = new ClusterView(deps);
    this.#cluster = cluster;
    this.logDirs = new LogDirs(deps.logDirectories, deps.offlineDirectories ?? []);
    this.#partitionDeps = {
      brokerId: deps.brokerId,
      clock: deps.clock,
      logger: deps.logger,
      replicaLagTimeMaxMs: deps.values['replica.lag.time.max.ms'],
      alterPartitions: deps.alterPartitions,
      lossReports: deps.lossReports,
      brokerEpoch: deps.brokerEpoch,
      registeredEpoch: (brokerId) => cluster.registeredEpoch(brokerId),
      eligible: (state, brokerId, brokerEpoch) => cluster.isEligible(state, brokerId, brokerEpoch),
      awaited: (partition) => cluster.awaited(partition),
      follow: (partition, state) => this.#fetchManager.follow(partition, state),
      failed: (partition, error) => this.#partitionFailed(partition, error),
    };
    this.#checkpointer = new Checkpointer({
      clock: deps.clock,
      logDirs: this.logDirs,
      highWatermarkOf: (topicId, partition) =>
        this.#places.get(topicId, partition)?.hosted.partition?.knownHighWatermark,
    });
    this.#upkeep = new Upkeep({ ...deps, partitions: () => this.partitions() });
    this.#cleaner = new Cleaner({ ...deps, partitions: () => this.partitions() });
    this.#fetchManager = createFetchManager({
      ...deps,
      throttles: cluster.throttles,
      image: () => cluster.image,
      awaited: (partition) => cluster.awaited(partition),
    });
    this.#isrWatch = new IsrWatch({ ...deps, partitions: () => this.partitions() });
    for (const directory of deps.logDirectories) {
      directory.health.whenFailed((error) => this.#directoryFailed(directory, error));
    }
  }

  /**
   * D-0.7: begins to act on metadata, once it shows this incarnation's own registration. Folders that are of no partition of
   * this broker any more are stray: moved aside first, with their bytes (C-7.1).
   */
  async open(currentImage: () => MetadataImage, registrationOffset: Offset): Promise<void> {
    assert(!this.#opened, 'replicas are opened once');
    let image: MetadataImage;
    do {
      image = currentImage();
      assert(
        image.endOffset > registrationOffset,
        'an image before the own registration may name epochs of the past (D-0.7)',
      );
      for (const directory of this.logDirs.opened) {
        await moveStraysAside(directory, image, this.#deps.brokerId, () => this.#closing);
      }
      if (this.#closing) return;
    } while (image !== currentImage());
    this.#level = image.level;
    this.#cluster.follow(image, undefined);
    for (const topic of image.topics.values()) this.#applyTopic(topic);
    this.#opened = true;
    this.#checkpointer.start();
    this.#upkeep.start();
    this.#cleaner.start();
    this.#isrWatch.start();
  }

  /** Follows one committed batch. Before `open` there is nothing to do. */
  apply(image: MetadataImage, delta: MetadataDelta): void {
    if (!this.#opened || this.#closing) return;
    for (const topicId of delta.removedTopics.keys()) this.#removeTopic(topicId);
    this.#applyConfigs(image, delta);
    for (const topicId of delta.topics) {
      const topic = image.topics.get(topicId);
      if (topic !== undefined) this.#applyTopic(topic);
    }
    for (const brokerId of delta.brokers) this.#fetchManager.brokerChanged(brokerId);
    if (delta.brokers.size > 0) for (const partition of this.partitions()) partition.reconsider();
    if (this.#level >= ELR_LEVEL || image.level < ELR_LEVEL) return;
    this.#level = image.level;
    for (const topic of image.topics.values()) this.#applyTopic(topic);
  }

  /** Configs first: a partition state acts on those of its image (C-10.1). */
  #applyConfigs(image: MetadataImage, { configs }: MetadataDelta): void {
    if (this.#cluster.follow(image, configs)) {
      for (const topicId of this.#places.topicIds()) this.#applyConfig(image.topics.get(topicId));
      return;
    }
    for (const entity of configs) {
      if (entity.startsWith('topic:')) this.#applyConfig(topicByName(image, entity.slice('topic:'.length)));
    }
  }

  #applyConfig(topic: TopicImage | undefined): void {
    if (topic === undefined) return;
    const config = this.#cluster.configOf(topic);
    for (const [, { hosted, directory }] of this.#places.ofTopic(topic.topicId)) {
      // C-2.4: the log dir notes it before anything is acknowledged that is not synced.
      const isNoted = config.flushMode === 'async' && directory !== undefined;
      hosted.applyConfig(config, isNoted ? () => directory.life.asyncBegins() : undefined);
    }
  }

  #applyTopic(topic: TopicImage): void {
    for (const [partition, state] of topic.partitions.entries()) {
      const index = state.replicas.indexOf(this.#deps.brokerId);
      if (index === -1) {
        this.#removeReplica(topic.topicId, partition); // D-0.6
        continue;
      }
      const named = state.directories[index] ?? ZERO_UUID;
      const place = this.#placeOf(topic, partition, { named, isCounted: this.#cluster.countsOn(state) });
      place.hosted.applyState(state);
      this.#tellPlace(topic.topicId, partition);
    }
  }

  /** KIP-858, D-10.2: where the replica is, once that is known, if the newest metadata says otherwise. */
  #tellPlace(topicId: Uuid, partition: number): void {
    const place = this.#places.get(topicId, partition);
    const state = partitionOf(this.#cluster.image, topicId, partition);
    if (place === undefined || state === undefined || this.#level < ELR_LEVEL || this.#closing) return;
    const { opened, unopened } = this.logDirs;
    const { brokerId, logDirWatch } = this.#deps;
    const standing = standingOf(topicId, place, state, { brokerId, isOnly: opened.length + unopened.length === 1 });
    if (standing.kind === 'elsewhere') {
      logDirWatch?.misplaced({ topicId, partition, directoryId: standing.directoryId });
    } else if (standing.kind === 'to begin anew') this.#beginAnew(topicId, place, state, standing.reason);
  }

  /** D-10.4: the log is damaged, the cluster counts on others, and knows it: it is taken from them anew. Its bytes stay, aside. */
  #beginAnew(topicId: Uuid, place: Place, state: PartitionState, reason: EnvError): void {
    const { partition } = place;
    const topic = this.#cluster.image.topics.get(topicId);
    const key = `${topicId}/${partition}`;
    // If that does not help, a human must.
    if (topic === undefined || this.#begunAnew.has(key)) return;
    this.#begunAnew.add(key);
    this.#takeAway(topicId, place, () => this.#moveAside(place, reason));
    const named = LOST_DIRECTORY;
    this.#placeOf(topic, partition, { named, isCounted: false }).hosted.applyState(state);
  }

  async #moveAside({ directory, topic, partition }: Place, { message }: EnvError): Promise<void> {
    try {
      const to = await directory?.moveAside(topic, partition);
      this.#deps.logger.warn('partition-begins-anew', { topic, partition, reason: message, damagedLog: to });
    } catch (error) {
      if (!isEnvError(error)) throw error;
      this.#deps.logger.error('partition-not-moved-aside', { topic, partition, reason: error.message });
    }
  }

  #placeOf(topic: TopicImage, partition: number, place: Omit<ReplicaPlace, 'isNew'>): Place {
    const known = this.#places.get(topic.topicId, partition);
    if (known !== undefined) return known;
    const identity = { topic: topic.name, topicId: topic.topicId, partition };
    const found = this.logDirs.directoryOf(identity, { ...place, isNew: this.#opened });
    const directory = found instanceof EnvError ? undefined : found;
    const config = this.#cluster.configOf(topic);
    const predecessor = this.#leaving.get(folderOf(identity));
    const hosted = new HostedPartition(
      async () => {
        if (found instanceof EnvError) throw found;
        await predecessor;
        const highWatermark = found.checkpointOf(topic.topicId, partition)?.highWatermark;
        const log = await found.openLog(topic.name, topic.topicId, partition, config);
        return new Partition(this.#partitionDeps, identity, log, config, highWatermark);
      },
      (error) => {
        if (directory?.health.failure === undefined && error !== undefined) this.#tellOffline(identity, error);
        if (this.#places.get(topic.topicId, partition)?.hosted === hosted) this.#tellPlace(topic.topicId, partition);
      },
    );
    const made = { hosted, directory, topic: topic.name, partition };
    this.#places.set(topic.topicId, partition, made);
    if (directory !== undefined) this.logDirs.count(directory, 1);
    return made;
  }

  #tellOffline({ topic, partition }: { readonly topic: string; readonly partition: number }, error: EnvError): void {
    this.#deps.logger.error('partition-offline', { topic, partition, reason: error.message });
  }

  /** D-10.5: what a log met on its disk, the other logs of the directory will meet. */
  #partitionFailed(partition: Partition, error: EnvError): void {
    const directory = this.#places.get(partition.topicId, partition.partition)?.directory;
    if (directory?.health.failure !== undefined) return;
    if (directory !== undefined && isDiskFailure(error)) return directory.health.fail(error);
    this.#tellOffline(partition, error);
    this.#tellPlace(partition.topicId, partition.partition);
  }

  #directoryFailed(directory: LogDirectory, error: EnvError): void {
    const reason = new EnvError(error.code, `log dir ${directory.path} is offline: ${error.message}`, error);
    let partitions = 0;
    for (const { hosted } of this.#places.in(directory)) {
      partitions++;
      hosted.fail(reason);
    }
    this.#deps.logger.error('log-dir-offline', {
      path: directory.path,
      directoryId: directory.meta.directoryId,
      partitions,
      reason: error.message,
      fix: `${error.code === 'NO_SPACE' ? 'free space on that disk' : 'mend or replace that disk'}, then start the broker again`,
    });
    this.#deps.logDirWatch?.failed(directory);
  }

  #removeTopic(topicId: Uuid): void {
    for (const [partition] of this.#places.ofTopic(topicId)) this.#removeReplica(topicId, partition);
  }

  /** Stops serving at once; the folder goes when what is under way is done. */
  #removeReplica(topicId: Uuid, partition: number): void {
    const place = this.#places.get(topicId, partition);
    if (place !== undefined) this.#takeAway(topicId, place, () => this.#removeFolder(place));
  }

  /** Who is placed under the name next waits for `dispose`. */
  #takeAway(topicId: Uuid, place: Place, dispose: () => Promise<void>): void {
    this.#places.delete(topicId, place.partition);
    if (place.directory !== undefined) this.logDirs.count(place.directory, -1);
    const folder = folderOf(place);
    const gone = place.hosted.retire(dispose);
    this.#leaving.set(folder, gone);
    void gone.then(() => {
      if (this.#leaving.get(folder) === gone) this.#leaving.delete(folder);
    });
  }

  /** A folder that stays is stray, and moved aside at the next start. */
  async #removeFolder({ directory, topic, partition }: Place): Promise<void> {
    try {
      await directory?.removeLog(topic, partition);
    } catch (error) {
      if (!isEnvError(error)) throw error;
      if (directory?.health.failure !== undefined) return;
      this.#deps.logger.error('partition-not-deleted', { topic, partition, reason: error.message });
    }
  }

  /** See {@link ReplicaPlaces.find}. */
  find(topicId: Uuid, partition: number): Promise<Partition | ErrorName> {
    return this.#places.find(topicId, partition);
  }

  /** See {@link ReplicaPlaces.findNow}. */
  findNow(topicId: Uuid, partition: number): Partition | ErrorName | undefined {
    return this.#places.findNow(topicId, partition);
  }

  get throttles(): ReplicationThrottles {
    return this.#cluster.throttles;
  }

  /** The replica as it is, whatever it can serve; or why it is offline. Undefined: its log is being opened, or there is none. */
  replicaOf(topicId: Uuid, partition: number): Partition | EnvError | undefined {
    const hosted = this.#places.get(topicId, partition)?.hosted;
    return hosted?.failure ?? hosted?.partition;
  }

  /** Those whose log is open, and works. */
  partitions(): Iterable<Partition> {
    return this.#places.partitions();
  }

  /** Of `partitions` those that are in the log dir. */
  *partitionsIn(directory: LogDirectory): Generator<Partition> {
    for (const { hosted } of this.#places.in(directory)) {
      if (hosted.partition?.failure === undefined && hosted.partition !== undefined) yield hosted.partition;
    }
  }

  /** Resolves when everything applied so far is carried out. */
  settled(): Promise<void> {
    return this.#places.settled();
  }

  /** Stops serving. The logs are closed with their directories. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#fetchManager.stop();
    this.#checkpointer.stop();
    this.#isrWatch.stop();
    const rested = Promise.all([this.#upkeep.stop(), this.#cleaner.stop()]);
    await Promise.all([...this.#places.values()].map(({ hosted }) => hosted.retire(async () => {})));
    await Promise.all(this.#leaving.values());
    await rested;
  }
}

function folderOf(place: { readonly topic: string; readonly partition: number }): string {
  return `${place.topic}-${place.partition}`;
}
