// What this broker knows of its own replicas, for AdminService.DescribeReplicas: roles, ends, epochs, and as leader how far its followers
// are. As the committed metadata has them: one that cannot be served is told with the reason.
import type { Ms, NodeId } from '../base/ids.ts';
import { printable } from '../base/printable.ts';
import { EnvError } from '../env/error.ts';
import type { FollowerDescription, ReplicaDescription } from '../gen/kvorum/v1/admin.ts';
import type { MetadataImage, TopicImage } from '../metadata/image.ts';
import { topicByName, topicsInOrder } from '../metadata/image.ts';
import type { Leadership } from '../replica/leadership.ts';
import type { Partition } from '../replica/partition.ts';
import type { ReplicaManager } from '../replica/replica-manager.ts';

export interface DescribedBroker {
  readonly brokerId: NodeId;
  readonly image: MetadataImage;
  readonly replicas: Pick<ReplicaManager, 'replicaOf'>;
  readonly nowMs: Ms;
}

/** Of one replica, and of all in an answer, which must fit into a message. */
const MAX_EPOCHS = 100;
const MAX_EPOCHS_IN_ALL = 500_000;

/** Names of topics; empty: all. Those that this broker does not know (yet) are passed over. */
export function describeReplicas(broker: DescribedBroker, names: readonly string[]): ReplicaDescription[] {
  const { image, brokerId } = broker;
  const topics =
    names.length === 0 ? topicsInOrder(image) : [...new Set(names)].flatMap((name) => topicByName(image, name) ?? []);
  const held = topics.flatMap((topic) =>
    topic.partitions
      .toArray()
      .flatMap(({ replicas }, partition) => (replicas.includes(brokerId) ? [{ topic, partition }] : [])),
  );
  const maxEpochs = Math.max(1, Math.min(MAX_EPOCHS, Math.floor(MAX_EPOCHS_IN_ALL / Math.max(1, held.length))));
  return held.map(({ topic, partition }) => describe(broker, topic, partition, maxEpochs));
}

function describe(
  { brokerId, replicas, nowMs }: DescribedBroker,
  { name, topicId }: TopicImage,
  partition: number,
  maxEpochs: number,
): ReplicaDescription {
  const identity = { topic: name, partition, brokerId };
  const found = replicas.replicaOf(topicId, partition);
  if (found === undefined) return offline(identity, 'its log is being opened');
  if (found instanceof EnvError) return offline(identity, printable(found.message));
  const { log, highWatermark, leaderEpoch, role } = found;
  return {
    ...identity,
    role: role?.kind ?? 'standby',
    failure: '',
    leaderEpoch,
    logStartOffset: log.logStartOffset,
    highWatermark,
    logEndOffset: log.logEndOffset,
    epochs: log.epochs.entries.slice(-maxEpochs).map(({ epoch, startOffset }) => ({ leaderEpoch: epoch, startOffset })),
    followers: found.leader === undefined ? [] : followersOf(found, found.leader, brokerId, nowMs),
    pendingIsr: found.leader?.pending?.members.map((member) => member.brokerId) ?? [],
  };
}

function followersOf({ log }: Partition, leader: Leadership, brokerId: NodeId, nowMs: Ms): FollowerDescription[] {
  const { replicas, isr } = leader.state;
  return replicas
    .filter((id) => id !== brokerId)
    .map((id) => {
      const { logEndOffset = -1, lastCaughtUpMs = Number.NEGATIVE_INFINITY } = leader.followers.get(id) ?? {};
      const agoMs = logEndOffset >= log.logEndOffset ? 0 : Math.max(0, Math.round(nowMs - lastCaughtUpMs));
      return {
        brokerId: id,
        logEndOffset,
        caughtUpMsAgo: Number.isFinite(agoMs) ? agoMs : -1,
        inSync: isr.includes(id),
      };
    });
}

function offline(
  identity: Pick<ReplicaDescription, 'topic' | 'partition' | 'brokerId'>,
  failure: string,
): ReplicaDescription {
  return {
    ...identity,
    role: 'offline',
    failure,
    leaderEpoch: -1,
    logStartOffset: -1,
    highWatermark: -1,
    logEndOffset: -1,
    epochs: [],
    followers: [],
    pendingIsr: [],
  };
}
