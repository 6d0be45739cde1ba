// A broker says which of its log dirs hold which of its replicas (KIP-858): one answer per replica, all of them in one batch. One that it
// cannot serve, or that lacks what was committed in it, it says to be in LOST_DIRECTORY (D-10.2): offline, and not complete any more.
import { LOST_DIRECTORY, ZERO_UUID } from '../../base/uuid.ts';
import type { ItemError } from '../../gen/kvorum/v1/admin.ts';
import type {
  AssignReplicasToDirsRequest,
  AssignReplicasToDirsResponse,
  ReplicaDirectory,
} from '../../gen/kvorum/v1/controller.ts';
import type { MetadataRecord } from '../../gen/kvorum/v1/metadata.ts';
import { itemError } from '../../metadata/errors.ts';
import type { BrokerRegistration, MetadataImage } from '../../metadata/image.ts';
import { partitionOf } from '../../metadata/image.ts';
import { ELR_LEVEL } from '../../metadata/level.ts';
import type { Acceptable } from './acceptable.ts';
import { acceptableIn } from './acceptable.ts';
import type { Decided } from './decision.ts';
import { refuse } from './decision.ts';
import { checkBrokerEpoch } from './heartbeat.ts';
import { namedTwice, partitionKeyOf } from './named-twice.ts';
import { changePartition } from './partition-change.ts';
import type { ElectionPolicy } from './policy.ts';
import { electionPolicyOf } from './policy.ts';

/** C-0.6: changes of one call; a broker with more replicas asks for the rest again. */
const MAX_ASSIGNMENTS_PER_REQUEST = 5000;

export function decideAssignReplicasToDirs(
  image: MetadataImage,
  request: AssignReplicasToDirsRequest,
): Decided<AssignReplicasToDirsResponse> {
  const broker = checkBrokerEpoch(image, request); // C-2.5
  if ('refused' in broker) return broker;
  if (image.level < ELR_LEVEL) {
    const message = `log dirs of replicas need metadata level ${ELR_LEVEL}: raise it by 'kvorum cluster upgrade'`;
    return refuse('INVALID_ARGUMENT', message, 'UNSUPPORTED_VERSION');
  }
  const work: Work = { image, broker, acceptable: acceptableIn(image), policy: electionPolicyOf(image), records: [] };
  const isRepeated = namedTwice(request.replicas, partitionKeyOf);
  const replicas = request.replicas.map((item, index) => {
    const { topicId, partition } = item;
    const error = isRepeated(item)
      ? itemError('INVALID_REQUEST', 'the request names the replica more than once')
      : index >= MAX_ASSIGNMENTS_PER_REQUEST
        ? itemError('OPERATION_NOT_ATTEMPTED', `one call assigns ${MAX_ASSIGNMENTS_PER_REQUEST} replicas at most`)
        : assign(work, item);
    return { topicId, partition, error };
  });
  return { records: work.records, respond: () => ({ replicas }) };
}

interface Work {
  readonly image: MetadataImage;
  readonly broker: BrokerRegistration;
  readonly acceptable: Acceptable;
  readonly policy: ElectionPolicy;
  readonly records: MetadataRecord[];
}

function assign(work: Work, { topicId, partition, directoryId }: ReplicaDirectory): ItemError | undefined {
  const { brokerId, logDirs } = work.broker;
  const topic = work.image.topics.get(topicId);
  if (topic === undefined) return itemError('UNKNOWN_TOPIC_ID', `there is no topic with id '${topicId}'`);
  const state = partitionOf(work.image, topicId, partition);
  if (state === undefined) {
    return itemError('UNKNOWN_TOPIC_OR_PARTITION', `topic '${topic.name}' has no partition ${partition}`);
  }
  const index = state.replicas.indexOf(brokerId);
  if (index === -1) {
    return itemError('NOT_LEADER_OR_FOLLOWER', `broker ${brokerId} has no replica of ${topic.name}-${partition}`);
  }
  const isLost = directoryId === LOST_DIRECTORY;
  if (!isLost && !logDirs.includes(directoryId)) {
    return itemError('LOG_DIR_NOT_FOUND', `broker ${brokerId} has no log dir '${directoryId}' that is online`);
  }
  const before = state.directories[index] ?? ZERO_UUID;
  if (before === directoryId) return undefined;
  // **[ours]** The log dir that held the replica is gone, so this is another one, without its records: not eligible (C-2.4).
  const isOther = before !== ZERO_UUID && !logDirs.includes(before);
  const lost =
    isLost || isOther ? { isr: state.isr.filter((id) => id !== brokerId), unclean: new Set([brokerId]) } : {};
  const target = { directories: state.directories.with(index, directoryId), ...lost };
  const rules = {
    acceptable: work.acceptable,
    election: 'online',
    uncleanCause: undefined,
    minIsr: work.policy.minIsrOf(topic.name),
    hasElr: true,
    cause: isLost
      ? `broker ${brokerId} cannot serve its replica: records of it are damaged or missing`
      : `broker ${brokerId} has its replica in log dir ${directoryId}`,
  } as const;
  work.records.push(...changePartition({ topicId, partition }, state, target, rules));
  return undefined;
}
