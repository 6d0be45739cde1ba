// All replicas of this broker. Follows the committed metadata from its own registration on (D-0.7), opens, leads, and deletes
// partitions as it says, and finds the partition that a request names.
import { assert } from '../base/assert.ts';
import type { NodeId, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { NodeValues } from '../config/node-keys.ts';
import type { TopicConfig } from '../config/topic-config.ts';
import { topicConfigOf, topicDefaults } from '../config/topic-config.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { EnvError } from '../env/error.ts';
import { isEnvError } from '../env/error.ts';
import type { Logger } from '../env/logger.ts';
import type { LogDirectory } from '../log/log-directory.ts';
import type { MetadataDelta } from '../metadata/delta.ts';
import type { MetadataImage, TopicImage } from '../metadata/image.ts';
import { brokerEntity, configsOf, partitionOf, topicByName, topicEntity } from '../metadata/image.ts';
import type { ErrorName } from '../protocol/error-codes.ts';
import { brokerOverrides } from './broker-overrides.ts';
import { HostedPartition } from './hosted-partition.ts';
import { Partition } from './partition.ts';

export interface ReplicaManagerDeps {
  readonly brokerId: NodeId;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly logDirectories: readonly LogDirectory[];
  readonly values: NodeValues;
}

/** Kafka's log.flush.offset.checkpoint.interval.ms is 60 s; less to check after a crash, and rot told from a torn end, are worth a small write. */
const CHECKPOINT_INTERVAL_MS = 2000;

interface Place {
  readonly hosted: HostedPartition;
  readonly directory: LogDirectory;
  readonly topic: string;
  readonly partition: number;
}

export class ReplicaManager {
  readonly #deps: ReplicaManagerDeps;
  readonly #places = new Map<Uuid, Map<number, Place>>();
  /** Places in each log dir. */
  readonly #counts = new Map<LogDirectory, number>();
  /** Folders that are being deleted, by name: a topic created again under the name waits for that (D-0.5). */
  readonly #leaving = new Map<string, Promise<void>>();
  /** What topics without configs of their own have here; undefined before it was asked for. */
  #topicDefaults: TopicConfig | undefined;
  #opened = false;
  #checkpointTimer: Timer | undefined;
  #closing = false;

  constructor(deps: ReplicaManagerDeps) {
    this.#deps = deps;
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
      await this.#moveStraysAside(image);
      if (this.#closing) return;
    } while (image !== currentImage());
    for (const topic of image.topics.values()) this.#applyTopic(image, topic);
    this.#opened = true;
    this.#checkpointLater();
  }

  async #moveStraysAside(image: MetadataImage): Promise<void> {
    for (const directory of this.#deps.logDirectories) {
      for (const { topic, topicId, partition } of directory.partitions()) {
        if (this.#closing) return;
        if (!this.#isAssigned(image, topicId, partition)) await directory.moveAside(topic, partition);
      }
    }
  }

  #isAssigned(image: MetadataImage, topicId: Uuid | undefined, partition: number): boolean {
    if (topicId === undefined) return false;
    return partitionOf(image, topicId, partition)?.replicas.includes(this.#deps.brokerId) ?? false;
  }

  /** Notes from time to time how far the logs are durable, so that little must be checked after a crash (D-10.1). */
  #checkpointLater(): void {
    this.#checkpointTimer = this.#deps.clock.schedule(CHECKPOINT_INTERVAL_MS, () => void this.#checkpoint());
  }

  async #checkpoint(): Promise<void> {
    const highWatermarks = new Map<string, Offset>();
    for (const open of this.partitions()) highWatermarks.set(`${open.topic}-${open.partition}`, open.highWatermark);
    try {
      for (const directory of this.#deps.logDirectories) {
        if (this.#closing) return;
        await directory.checkpoint((topic, partition) => highWatermarks.get(`${topic}-${partition}`));
      }
    } catch (error) {
      if (!isEnvError(error)) throw error;
      if (!this.#closing) this.#deps.logger.error('checkpoint-failed', { reason: error.message });
    }
    if (!this.#closing) this.#checkpointLater();
  }

  /** Follows one committed batch. Before `open` there is nothing to do. */
  apply(image: MetadataImage, delta: MetadataDelta): void {
    if (!this.#opened || this.#closing) return;
    for (const topicId of delta.removedTopics.keys()) this.#removeTopic(topicId);
    this.#applyConfigs(image, delta);
    for (const topicId of delta.topics) {
      const topic = image.topics.get(topicId);
      if (topic !== undefined) this.#applyTopic(image, topic);
    }
  }

  /** Configs first: a partition state acts on those of its image (C-10.1). */
  #applyConfigs(image: MetadataImage, { configs }: MetadataDelta): void {
    if (configs.has(brokerEntity()) || configs.has(brokerEntity(this.#deps.brokerId))) {
      this.#topicDefaults = undefined;
      for (const topicId of this.#places.keys()) this.#applyConfig(image, image.topics.get(topicId));
      return;
    }
    for (const entity of configs) {
      if (entity.startsWith('topic:')) this.#applyConfig(image, topicByName(image, entity.slice('topic:'.length)));
    }
  }

  #applyConfig(image: MetadataImage, topic: TopicImage | undefined): void {
    if (topic === undefined) return;
    const config = this.#configOf(image, topic);
    for (const { hosted } of this.#places.get(topic.topicId)?.values() ?? []) hosted.applyConfig(config);
  }

  #configOf(image: MetadataImage, topic: TopicImage): TopicConfig {
    const { brokerId, values } = this.#deps;
    this.#topicDefaults ??= topicDefaults(brokerOverrides(image, brokerId), values);
    return topicConfigOf(configsOf(image, topicEntity(topic.name)), this.#topicDefaults);
  }

  #applyTopic(image: MetadataImage, topic: TopicImage): void {
    for (const [partition, state] of topic.partitions.entries()) {
      if (state.replicas.includes(this.#deps.brokerId)) this.#placeOf(image, topic, partition).hosted.applyState(state);
      else this.#removeReplica(topic.topicId, partition); // D-0.6
    }
  }

  #placeOf(image: MetadataImage, topic: TopicImage, partition: number): Place {
    const places = this.#places.get(topic.topicId) ?? new Map<number, Place>();
    this.#places.set(topic.topicId, places);
    const known = places.get(partition);
    if (known !== undefined) return known;
    const directory = this.#directoryFor(topic, partition);
    const config = this.#configOf(image, topic);
    const identity = { topic: topic.name, topicId: topic.topicId, partition };
    const predecessor = this.#leaving.get(folderOf(identity));
    const hosted = new HostedPartition(
      async () => {
        await predecessor;
        const highWatermark = directory.checkpointOf(topic.topicId, partition)?.highWatermark;
        const log = await directory.openLog(topic.name, topic.topicId, partition, config);
        return new Partition(this.#deps, identity, log, config, highWatermark);
      },
      (error) => this.#offline(identity.topic, partition, error),
    );
    const place = { hosted, directory, topic: topic.name, partition };
    places.set(partition, place);
    this.#count(directory, 1);
    return place;
  }

  /** Where the folder is already, else the directory with the fewest partitions (the first of equals). */
  #directoryFor(topic: TopicImage, partition: number): LogDirectory {
    const { logDirectories } = this.#deps;
    const holder = logDirectories.find((directory) => directory.holds(topic.name, topic.topicId, partition));
    if (holder !== undefined) return holder;
    const countOf = (directory: LogDirectory): number => this.#counts.get(directory) ?? 0;
    return logDirectories.reduce((best, directory) => (countOf(directory) < countOf(best) ? directory : best));
  }

  #count(directory: LogDirectory, by: 1 | -1): void {
    this.#counts.set(directory, (this.#counts.get(directory) ?? 0) + by);
  }

  #offline(topic: string, partition: number, error: EnvError): void {
    this.#deps.logger.error('partition-offline', { topic, partition, reason: error.message });
  }

  #removeTopic(topicId: Uuid): void {
    for (const partition of [...(this.#places.get(topicId)?.keys() ?? [])]) this.#removeReplica(topicId, partition);
    this.#places.delete(topicId);
  }

  /** Stops serving at once; the folder goes when what is under way is done. */
  #removeReplica(topicId: Uuid, partition: number): void {
    const places = this.#places.get(topicId);
    const place = places?.get(partition);
    if (place === undefined) return;
    places?.delete(partition);
    this.#count(place.directory, -1);
    const folder = folderOf(place);
    const gone = place.hosted.retire(() => this.#removeFolder(place));
    this.#leaving.set(folder, gone);
    void gone.then(() => {
      if (this.#leaving.get(folder) === gone) this.#leaving.delete(folder);
    });
  }

  async #removeFolder({ directory, topic, partition }: Place): Promise<void> {
    try {
      await directory.removeLog(topic, partition);
    } catch (error) {
      if (!isEnvError(error)) throw error;
      // A folder that stays is stray, and moved aside at the next start.
      this.#deps.logger.error('partition-not-deleted', { topic, partition, reason: error.message });
    }
  }

  /** What a client's request for a partition can be served by, waiting for a log that is being opened. */
  async find(topicId: Uuid, partition: number): Promise<Partition | ErrorName> {
    const hosted = this.#places.get(topicId)?.get(partition)?.hosted;
    if (hosted === undefined) return 'NOT_LEADER_OR_FOLLOWER';
    // Once: who asked earlier gets it earlier, even if another state has come meanwhile.
    await hosted.ready;
    return servedBy(hosted);
  }

  /** As `find`, without waiting; undefined while the log is being opened. */
  findNow(topicId: Uuid, partition: number): Partition | ErrorName | undefined {
    const hosted = this.#places.get(topicId)?.get(partition)?.hosted;
    if (hosted === undefined) return 'NOT_LEADER_OR_FOLLOWER';
    return hosted.ready === undefined ? servedBy(hosted) : undefined;
  }

  /** Those whose log is open. */
  *partitions(): Generator<Partition> {
    for (const places of this.#places.values()) {
      for (const { hosted } of places.values()) if (hosted.partition !== undefined) yield hosted.partition;
    }
  }

  /** Resolves when everything applied so far is carried out. */
  async settled(): Promise<void> {
    const places = [...this.#places.values()].flatMap((partitions) => [...partitions.values()]);
    for (const { hosted } of places) await hosted.ready;
  }

  /** Stops serving. The logs are closed with their directories. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#checkpointTimer?.cancel();
    const places = [...this.#places.values()].flatMap((partitions) => [...partitions.values()]);
    await Promise.all(places.map(({ hosted }) => hosted.retire(async () => {})));
    await Promise.all(this.#leaving.values());
  }
}

function servedBy(hosted: HostedPartition): Partition | ErrorName {
  return hosted.partition ?? (hosted.isOffline ? 'KAFKA_STORAGE_ERROR' : 'NOT_LEADER_OR_FOLLOWER');
}

function folderOf(place: { readonly topic: string; readonly partition: number }): string {
  return `${place.topic}-${place.partition}`;
}
