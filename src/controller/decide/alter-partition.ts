// A leader changes the ISR of its partitions, or has recovered (C-6): each partition is checked in a fixed order, and succeeds or
// fails on its own, all of them in one batch.
import type { NodeId } from '../../base/ids.ts';
import { NO_NODE } from '../../base/ids.ts';
import type { ItemError } from '../../gen/kvorum/v1/admin.ts';
import type {
  AlteredPartition,
  AlterPartitionRequest,
  AlterPartitionResponse,
  PartitionAlteration,
} from '../../gen/kvorum/v1/controller.ts';
import type { MetadataRecord } from '../../gen/kvorum/v1/metadata.ts';
import { itemError } from '../../metadata/errors.ts';
import type { MetadataImage, PartitionState } from '../../metadata/image.ts';
import { partitionOf } from '../../metadata/image.ts';
import { ELR_LEVEL } from '../../metadata/level.ts';
import type { Acceptable } from './acceptable.ts';
import { acceptableIn } from './acceptable.ts';
import type { Decided } from './decision.ts';
import { checkBrokerEpoch } from './heartbeat.ts';
import { namedTwice, partitionKeyOf } from './named-twice.ts';
import { changePartition } from './partition-change.ts';
import type { ElectionPolicy } from './policy.ts';

/** C-0.6: changes of one call; a leader of more partitions asks for the rest again. */
export const MAX_ALTERATIONS_PER_REQUEST = 5000;

export function decideAlterPartition(
  image: MetadataImage,
  request: AlterPartitionRequest,
  policy: ElectionPolicy,
): Decided<AlterPartitionResponse> {
  const sender = checkBrokerEpoch(image, request); // C-6, 1
  if ('refused' in sender) return sender;
  const acceptable = acceptableIn(image);
  const isRepeated = namedTwice(request.partitions, partitionKeyOf);
  const records: MetadataRecord[] = [];
  const errors = request.partitions.map((item, index): ItemError | undefined => {
    const error = isRepeated(item)
      ? itemError('INVALID_REQUEST', 'the request names the partition more than once')
      : index >= MAX_ALTERATIONS_PER_REQUEST
        ? itemError('OPERATION_NOT_ATTEMPTED', `one call changes ${MAX_ALTERATIONS_PER_REQUEST} partitions at most`)
        : undefined;
    if (error !== undefined) return error;
    const checked = check(image, request.brokerId, item, acceptable);
    if ('error' in checked) return checked.error;
    const changes = alter(image, checked.state, item, { policy, acceptable });
    records.push(...changes);
    const change = changes.at(-1)?.kind;
    const leader = change?.$case === 'partitionChange' ? change.partitionChange.leader : undefined;
    if (leader === undefined || leader === request.brokerId) return undefined;
    // C-6.1: carried out, and the sender does not lead any more.
    return itemError('NEW_LEADER_ELECTED', `the change completed a reassignment, and broker ${leader} leads now`);
  });
  return {
    records,
    respond: (after) => ({ partitions: request.partitions.map((item, i) => answer(after, item, errors[i])) }),
  };
}

function answer(after: MetadataImage, item: PartitionAlteration, error: ItemError | undefined): AlteredPartition {
  const { topicId, partition } = item;
  const state = partitionOf(after, topicId, partition);
  return {
    topicId,
    partition,
    error,
    leader: state?.leader ?? NO_NODE,
    leaderEpoch: state?.leaderEpoch ?? -1,
    isr: [...(state?.isr ?? [])],
    partitionEpoch: state?.partitionEpoch ?? -1,
    recovering: state?.recovering ?? false,
  };
}

interface How {
  readonly policy: ElectionPolicy;
  readonly acceptable: Acceptable;
}

/** C-6.2: nothing if it is so already. */
function alter(image: MetadataImage, state: PartitionState, item: PartitionAlteration, how: How): MetadataRecord[] {
  const { topicId, partition, recovering } = item;
  const isr = item.isr.map(({ brokerId }) => brokerId);
  return changePartition(
    { topicId, partition },
    state,
    { isr, recovering },
    {
      acceptable: how.acceptable,
      election: 'online',
      uncleanCause: undefined,
      minIsr: how.policy.minIsrOf(image.topics.get(topicId)?.name ?? ''),
      hasElr: image.level >= ELR_LEVEL,
      cause: causeOf(state, isr, recovering),
    },
  );
}

function causeOf(state: PartitionState, isr: readonly NodeId[], recovering: boolean): string {
  const joins = isr.filter((id) => !state.isr.includes(id));
  const lags = state.isr.filter((id) => !isr.includes(id));
  const found = [
    ...(joins.length > 0 ? [`[${joins.join()}] in sync`] : []),
    ...(lags.length > 0 ? [`[${lags.join()}] not in sync`] : []),
    ...(state.recovering && !recovering ? ['itself recovered'] : []),
  ];
  return `leader ${state.leader} found ${found.join(', ')}`;
}

type Checked = { readonly state: PartitionState } | { readonly error: ItemError };

/** C-6, 2 to 9, in that order. */
function check(image: MetadataImage, senderId: NodeId, item: PartitionAlteration, acceptable: Acceptable): Checked {
  const { topicId, partition } = item;
  const fail = (...error: Parameters<typeof itemError>): Checked => ({ error: itemError(...error) });
  if (!image.topics.has(topicId)) return fail('UNKNOWN_TOPIC_ID', `there is no topic with id '${topicId}'`); // 2
  const state = partitionOf(image, topicId, partition);
  if (state === undefined) return fail('UNKNOWN_TOPIC_OR_PARTITION', `the topic has no partition ${partition}`);
  const { leaderEpoch, partitionEpoch } = state;
  if (item.leaderEpoch > leaderEpoch || item.partitionEpoch > partitionEpoch) {
    // 3: whoever asks has seen more than this controller (KAFKA-14154).
    return fail('NOT_CONTROLLER', 'the request is based on later metadata than this controller has');
  }
  if (item.leaderEpoch < leaderEpoch) {
    return fail('FENCED_LEADER_EPOCH', `the leader epoch is ${leaderEpoch}, not ${item.leaderEpoch}`); // 4
  }
  if (senderId !== state.leader) return fail('INVALID_REQUEST', `broker ${senderId} does not lead the partition`); // 5
  if (item.partitionEpoch < partitionEpoch) {
    return fail('INVALID_UPDATE_VERSION', `the partition epoch is ${partitionEpoch}, not ${item.partitionEpoch}`); // 6
  }
  const wrong = checkIsr(state, item);
  if (wrong !== undefined) return fail('INVALID_REQUEST', wrong);
  const ineligible = item.isr.map((member) => whyIneligible(image, state, member, acceptable)).find(Boolean); // 9
  return ineligible === undefined ? { state } : fail('INELIGIBLE_REPLICA', ineligible);
}

/** 7 and 8. */
function checkIsr(state: PartitionState, { isr, recovering }: PartitionAlteration): string | undefined {
  const ids = isr.map(({ brokerId }) => brokerId);
  if (new Set(ids).size !== ids.length) return `ISR [${ids.join()}] names a broker twice`;
  const stranger = ids.find((id) => !state.replicas.includes(id));
  if (stranger !== undefined) return `ISR [${ids.join()}] names broker ${stranger}, which is no replica`;
  if (!ids.includes(state.leader)) return `ISR [${ids.join()}] lacks the leader ${state.leader}`;
  if (recovering && ids.length > 1) return `ISR [${ids.join()}] has several members while the leader recovers`;
  if (recovering && !state.recovering) return 'a leader that has recovered cannot recover again';
  return undefined;
}

/** KIP-841, KIP-903. **[ours]** Epoch -1 is not taken for any. */
function whyIneligible(
  image: MetadataImage,
  state: PartitionState,
  member: { readonly brokerId: NodeId; readonly brokerEpoch: number },
  acceptable: Acceptable,
): string | undefined {
  const { brokerId, brokerEpoch } = member;
  const broker = image.brokers.get(brokerId);
  if (broker === undefined) return `broker ${brokerId} is not registered`;
  if (broker.brokerEpoch !== brokerEpoch) {
    return `broker ${brokerId} has broker epoch ${broker.brokerEpoch}, not ${brokerEpoch}`;
  }
  if (acceptable(brokerId, state)) return undefined;
  return `broker ${brokerId} is fenced or stopping, or the log dir of its replica is offline`;
}
