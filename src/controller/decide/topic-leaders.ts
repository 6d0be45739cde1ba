// Whether a topic has a partition that the periodic elections could change (C-5.9): found once for each version of the topic, since
// most topics are as they were when somebody looks again.
import { NO_NODE } from '../../base/ids.ts';
import type { PartitionState, TopicImage } from '../../metadata/image.ts';

export interface TopicLeaders {
  readonly someLeaderless: boolean;
  readonly someUnbalanced: boolean;
}

const known = new WeakMap<TopicImage, TopicLeaders>();

export function topicLeadersOf(topic: TopicImage): TopicLeaders {
  const before = known.get(topic);
  if (before !== undefined) return before;
  const { partitions } = topic;
  const found = { someLeaderless: partitions.some(isLeaderless), someUnbalanced: partitions.some(isUnbalanced) };
  known.set(topic, found);
  return found;
}

export function isLeaderless({ leader }: PartitionState): boolean {
  return leader === NO_NODE;
}

/** Led, but not by its first replica. */
export function isUnbalanced({ leader, replicas }: PartitionState): boolean {
  return leader !== replicas[0] && leader !== NO_NODE;
}
