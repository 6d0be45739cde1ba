// All replicas of this broker. Follows the committed metadata from its own registration on (D-0.7), opens, leads, and deletes
// partitions as it says, and finds the partition that a request names.
import { assert } from '../base/assert.ts';
import type { NodeId, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { NodeValues } from '../config/node-keys.ts';
import { topicConfigOf } from '../config/topic-config.ts';
import type { Clock } from '../env/clock.ts';
import type { EnvError } from '../env/error.ts';
import type { Logger } from '../env/logger.ts';
import type { LogDirectory } from '../log/log-directory.ts';
import type { MetadataDelta } from '../metadata/delta.ts';
import type { MetadataImage, TopicImage } from '../metadata/image.ts';
import { configsOf, topicEntity } from '../metadata/image.ts';
import type { ErrorName } from '../protocol/error-codes.ts';
import { HostedPartition } from './hosted-partition.ts';
import { Partition } from './partition.ts';

export interface ReplicaManagerDeps {
  readonly brokerId: NodeId;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly logDirectories: readonly LogDirectory[];
  readonly values: NodeValues;
}

interface Place {
  readonly hosted: HostedPartition;
  readonly directory: LogDirectory;
  readonly topic: string;
  readonly partition: number;
}

export class ReplicaManager {
  readonly #deps: ReplicaManagerDeps;
  readonly #places = new Map<Uuid, Map<number, Place>>();
  #opened = false;
  #closing = false;

  constructor(deps: ReplicaManagerDeps) {
    this.#deps = deps;
  }

  /**
   * D-0.7: begins to act on metadata, with an image that shows this incarnation's own registration. Folders of topics that
   * this image does not know are stray and moved aside (C-7.1).
   */
  async open(image: MetadataImage, registrationOffset: Offset): Promise<void> {
    assert(
      image.endOffset > registrationOffset,
      'an image before the own registration may name epochs of the past (D-0.7)',
    );
    assert(!this.#opened, 'replicas are opened once');
    this.#opened = true;
    for (const topic of image.topics.values()) this.#applyTopic(image, topic);
    for (const directory of this.#deps.logDirectories) {
      await directory.moveStrayAside((topicId, partition) => this.#places.get(topicId)?.has(partition) ?? false);
    }
  }

  /** Follows one committed batch. Before `open` there is nothing to do. */
  apply(image: MetadataImage, delta: MetadataDelta): void {
    if (!this.#opened || this.#closing) return;
    for (const topicId of delta.removedTopics.keys()) this.#removeTopic(topicId);
    for (const topicId of delta.topics) {
      const topic = image.topics.get(topicId);
      if (topic !== undefined) this.#applyTopic(image, topic);
    }
  }

  #applyTopic(image: MetadataImage, topic: TopicImage): void {
    for (const [partition, state] of topic.partitions.entries()) {
      if (!state.replicas.includes(this.#deps.brokerId)) continue;
      this.#placeOf(image, topic, partition).hosted.applyState(state);
    }
  }

  #placeOf(image: MetadataImage, topic: TopicImage, partition: number): Place {
    const places = this.#places.get(topic.topicId) ?? new Map<number, Place>();
    this.#places.set(topic.topicId, places);
    const known = places.get(partition);
    if (known !== undefined) return known;
    const directory = this.#directoryFor(topic.topicId, partition);
    const config = topicConfigOf(configsOf(image, topicEntity(topic.name)), this.#deps.values);
    const identity = { topic: topic.name, topicId: topic.topicId, partition };
    const hosted = new HostedPartition(
      async () => new Partition(this.#deps, identity, await directory.openLog(identity, config), config),
      (error) => this.#offline(identity.topic, partition, error),
    );
    const place = { hosted, directory, topic: topic.name, partition };
    places.set(partition, place);
    return place;
  }

  /** Where the folder is already, else the directory with the fewest partitions (the first of equals). */
  #directoryFor(topicId: Uuid, partition: number): LogDirectory {
    const { logDirectories } = this.#deps;
    const holder = logDirectories.find((directory) => directory.holds(topicId, partition));
    if (holder !== undefined) return holder;
    const counts = new Map(logDirectories.map((directory) => [directory, 0]));
    for (const places of this.#places.values()) {
      for (const place of places.values()) counts.set(place.directory, (counts.get(place.directory) ?? 0) + 1);
    }
    return [...counts].reduce((best, entry) => (entry[1] < best[1] ? entry : best))[0];
  }

  #offline(topic: string, partition: number, error: EnvError): void {
    this.#deps.logger.error('partition-offline', { topic, partition, reason: error.message });
  }

  #removeTopic(topicId: Uuid): void {
    const places = this.#places.get(topicId);
    this.#places.delete(topicId);
    for (const { hosted, directory, topic, partition } of places?.values() ?? []) {
      void hosted.retire(async () => {
        await directory.removeLog({ topic, topicId, partition });
        this.#deps.logger.info('partition-deleted', { topic, partition, topicId });
      });
    }
  }

  /** What a client's request for a partition can be served by, waiting for a log that is being opened. */
  async find(topicId: Uuid, partition: number): Promise<Partition | ErrorName> {
    const hosted = this.#places.get(topicId)?.get(partition)?.hosted;
    if (hosted === undefined) return 'NOT_LEADER_OR_FOLLOWER';
    await hosted.ready;
    return this.findNow(topicId, partition) ?? 'NOT_LEADER_OR_FOLLOWER';
  }

  /** As `find`, without waiting; undefined while the log is being opened. */
  findNow(topicId: Uuid, partition: number): Partition | ErrorName | undefined {
    const hosted = this.#places.get(topicId)?.get(partition)?.hosted;
    if (hosted === undefined) return 'NOT_LEADER_OR_FOLLOWER';
    if (hosted.ready !== undefined) return undefined;
    return hosted.partition ?? (hosted.isOffline ? 'KAFKA_STORAGE_ERROR' : 'NOT_LEADER_OR_FOLLOWER');
  }

  /** Resolves when everything applied so far is carried out. */
  async settled(): Promise<void> {
    for (const places of this.#places.values()) for (const { hosted } of places.values()) await hosted.ready;
  }

  /** Stops serving, flushes and closes every log. */
  async close(): Promise<void> {
    this.#closing = true;
    const places = [...this.#places.values()].flatMap((partitions) => [...partitions.values()]);
    await Promise.all(places.map(({ hosted }) => hosted.retire(async (partition) => partition?.log.close())));
  }
}
