// Elections that an administrator asks for (C-5.3, C-5.7): each partition on its own, all of them in one batch.
import { NO_NODE } from '../../base/ids.ts';
import type {
  ElectedLeader,
  ElectLeadersRequest,
  ElectLeadersResponse,
  ItemError,
  PartitionSelector,
} from '../../gen/kvorum/v1/admin.ts';
import { ElectionType } from '../../gen/kvorum/v1/admin.ts';
import type { MetadataRecord } from '../../gen/kvorum/v1/metadata.ts';
import { itemError } from '../../metadata/errors.ts';
import type { MetadataImage, PartitionState, TopicImage } from '../../metadata/image.ts';
import { topicByName, topicsInOrder } from '../../metadata/image.ts';
import { ELR_LEVEL } from '../../metadata/level.ts';
import type { Acceptable } from './acceptable.ts';
import { acceptableIn } from './acceptable.ts';
import type { Decided } from './decision.ts';
import { refuse } from './decision.ts';
import { namedTwice } from './named-twice.ts';
import { changePartition } from './partition-change.ts';
import type { ElectionPolicy } from './policy.ts';
import { topicLeadersOf } from './topic-leaders.ts';

/** C-0.6: elections of one call, so that it does not hold up the others for long. */
export const MAX_ELECTIONS_PER_REQUEST = 5000;

/** What the elections of one request have in common. */
interface Work {
  readonly image: MetadataImage;
  readonly policy: ElectionPolicy;
  readonly type: ElectionType;
  readonly acceptable: Acceptable;
  readonly records: MetadataRecord[];
  electionsLeft: number;
}

export function decideElectLeaders(
  image: MetadataImage,
  request: ElectLeadersRequest,
  policy: ElectionPolicy,
): Decided<ElectLeadersResponse> {
  const { type, validateOnly } = request;
  if (type !== ElectionType.PREFERRED && type !== ElectionType.UNCLEAN) {
    return refuse('INVALID_ARGUMENT', `type is ${String(type)}: use 1 (preferred) or 2 (unclean)`, 'INVALID_type');
  }
  if (type === ElectionType.UNCLEAN && image.level < ELR_LEVEL) {
    const message = `an unclean election needs metadata level ${ELR_LEVEL}: raise it by 'kvorum cluster upgrade'`;
    return refuse('INVALID_ARGUMENT', message, 'UNSUPPORTED_VERSION');
  }
  const work: Work = {
    image,
    policy,
    type,
    acceptable: acceptableIn(image),
    records: [],
    electionsLeft: MAX_ELECTIONS_PER_REQUEST,
  };
  const partitions = request.partitions.length > 0 ? electNamed(work, request.partitions) : electAll(work);
  return {
    records: validateOnly ? [] : work.records,
    respond: (after) => ({ partitions, metadataEndOffset: after.endOffset }),
  };
}

function electNamed(work: Work, partitions: readonly PartitionSelector[]): ElectedLeader[] {
  const isRepeated = namedTwice(partitions, ({ topic, partition }) => `${topic}/${partition}`);
  return partitions.map((named): ElectedLeader => {
    const { topic: name, partition } = named;
    const topic = topicByName(work.image, name);
    const state = partition < 0 ? undefined : topic?.partitions.get(partition);
    if (topic === undefined || state === undefined) {
      const message =
        topic === undefined
          ? `there is no topic '${name}'`
          : `topic '${name}' has no partition ${partition}: its partitions are 0 to ${topic.partitions.size - 1}`;
      return { topic: name, partition, error: itemError('UNKNOWN_TOPIC_OR_PARTITION', message), leader: NO_NODE };
    }
    if (isRepeated(named)) {
      const error = itemError('INVALID_REQUEST', `the request names partition ${name}-${partition} more than once`);
      return { topic: name, partition, error, leader: state.leader };
    }
    return elect(work, topic, partition, state);
  });
}

/** Those that it changes something for, and where they are too many for one call, the first of the others. */
function electAll(work: Work): ElectedLeader[] {
  const answers: ElectedLeader[] = [];
  for (const topic of topicsInOrder(work.image)) {
    const { someLeaderless, someUnbalanced } = topicLeadersOf(topic);
    if (!someLeaderless && (work.type === ElectionType.UNCLEAN || !someUnbalanced)) continue;
    for (let partition = 0; partition < topic.partitions.size; partition++) {
      const state = topic.partitions.get(partition);
      if (state === undefined || notNeeded(work.type, state)) continue;
      const answer = elect(work, topic, partition, state);
      if (answer.error === undefined || work.electionsLeft === 0) answers.push(answer);
      if (answer.error !== undefined && work.electionsLeft === 0) return answers;
    }
  }
  return answers;
}

function notNeeded(type: ElectionType, { leader, replicas }: PartitionState): boolean {
  return type === ElectionType.PREFERRED ? leader === replicas[0] : leader !== NO_NODE;
}

function elect(work: Work, { name, topicId }: TopicImage, partition: number, state: PartitionState): ElectedLeader {
  const failed = (error: ItemError): ElectedLeader => ({ topic: name, partition, error, leader: state.leader });
  const { image, policy, type, acceptable } = work;
  const isPreferred = type === ElectionType.PREFERRED;
  const what = `partition ${name}-${partition}`;
  if (notNeeded(type, state)) {
    const why = isPreferred ? 'its first replica' : 'a leader';
    return failed(itemError('ELECTION_NOT_NEEDED', `${what} needs no election: it has ${why} already`));
  }
  if (work.electionsLeft === 0) {
    const message = `one call elects ${MAX_ELECTIONS_PER_REQUEST} leaders at most: ask again for ${what} and what follows it`;
    return failed(itemError('OPERATION_NOT_ATTEMPTED', message));
  }
  const [first = NO_NODE] = state.replicas;
  const records = changePartition(
    { topicId, partition },
    state,
    {},
    {
      acceptable,
      election: isPreferred ? 'preferred' : 'unclean',
      uncleanCause: isPreferred ? undefined : 'asked for by an administrator',
      minIsr: policy.minIsrOf(name),
      hasElr: image.level >= ELR_LEVEL,
      cause: `${isPreferred ? 'preferred' : 'unclean'} election asked for by an administrator`,
    },
  );
  const last = records.at(-1)?.kind;
  const leader = last?.$case === 'partitionChange' ? (last.partitionChange.leader ?? NO_NODE) : NO_NODE;
  if (isPreferred && leader !== first) {
    const message = `broker ${first}, the first replica of ${what}, cannot lead it: it is fenced, stopping or not in sync`;
    return failed(itemError('PREFERRED_LEADER_NOT_AVAILABLE', message));
  }
  if (leader === NO_NODE) {
    const message = `no replica of ${what} can lead it: all of [${state.replicas.join()}] are fenced or stopping`;
    return failed(itemError('ELIGIBLE_LEADERS_NOT_AVAILABLE', message));
  }
  work.records.push(...records);
  work.electionsLeft -= 1;
  return { topic: name, partition, error: undefined, leader };
}
