// What the replicas of this broker want to know of the cluster, as the newest image has it.
import type { Epoch, NodeId, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import { ZERO_UUID } from '../base/uuid.ts';
import { valueInForce } from '../config/in-force.ts';
import type { NodeValues } from '../config/node-keys.ts';
import type { TopicConfig } from '../config/topic-config.ts';
import { topicConfigOf, topicDefaults } from '../config/topic-config.ts';
import type { Clock } from '../env/clock.ts';
import type { MetadataDelta } from '../metadata/delta.ts';
import type { MetadataImage, PartitionState, TopicImage } from '../metadata/image.ts';
import { brokerEntity, configsOf, EMPTY_IMAGE, isActive, topicEntity } from '../metadata/image.ts';
import { awaitedBy } from '../metadata/losses.ts';
import { brokerOverrides } from './broker-overrides.ts';
import { ReplicationThrottles } from './throttles.ts';

export class ClusterView {
  readonly throttles: ReplicationThrottles;
  readonly #brokerId: NodeId;
  readonly #values: NodeValues;
  /** What topics without configs of their own have here; undefined before it was asked for. */
  #topicDefaults: TopicConfig | undefined;
  #image: MetadataImage = EMPTY_IMAGE;

  constructor({ clock, brokerId, values }: { clock: Clock; brokerId: NodeId; values: NodeValues }) {
    this.#brokerId = brokerId;
    this.#values = values;
    this.throttles = new ReplicationThrottles(clock, brokerId, values);
  }

  get image(): MetadataImage {
    return this.#image;
  }

  /** `configs` undefined: any may have changed. Returns whether the defaults of all topics may be others now. */
  follow(image: MetadataImage, configs: MetadataDelta['configs'] | undefined): boolean {
    this.#image = image;
    const isSame = configs?.has(brokerEntity()) === false && !configs.has(brokerEntity(this.#brokerId));
    if (isSame) return false;
    this.#topicDefaults = undefined;
    const set = brokerOverrides(image, this.#brokerId);
    this.throttles.update({
      'leader.replication.throttled.rate': valueInForce('leader.replication.throttled.rate', set, this.#values),
      'follower.replication.throttled.rate': valueInForce('follower.replication.throttled.rate', set, this.#values),
    });
    return true;
  }

  configOf(topic: TopicImage): TopicConfig {
    this.#topicDefaults ??= topicDefaults(brokerOverrides(this.#image, this.#brokerId), this.#values);
    return topicConfigOf(configsOf(this.#image, topicEntity(topic.name)), this.#topicDefaults);
  }

  registeredEpoch(brokerId: NodeId): Offset | undefined {
    return this.#image.brokers.get(brokerId)?.brokerEpoch;
  }

  /** C-5.1 */
  isEligible({ replicas, directories }: PartitionState, brokerId: NodeId, brokerEpoch: Offset): boolean {
    const broker = this.#image.brokers.get(brokerId);
    if (broker === undefined || broker.brokerEpoch !== brokerEpoch || !isActive(broker)) return false;
    const directory = directories[replicas.indexOf(brokerId)] ?? ZERO_UUID;
    return directory === ZERO_UUID || broker.logDirs.includes(directory);
  }

  /** Leader epochs whose entry in the loss ledger waits for this broker. */
  awaited({ topicId, partition }: { readonly topicId: Uuid; readonly partition: number }): readonly Epoch[] {
    return awaitedBy(this.#image, topicId, partition, this.#brokerId);
  }

  /** Whether the cluster counts on what this broker has of the partition. */
  countsOn({ isr, elr, lastKnownLeader }: PartitionState): boolean {
    return isr.includes(this.#brokerId) || elr.includes(this.#brokerId) || lastKnownLeader === this.#brokerId;
  }
}
