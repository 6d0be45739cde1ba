// A broker says which of its log dirs hold which of its replicas (KIP-858): one answer per replica, all of them in one batch.
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
import { metadataRecord } from '../../metadata/record.ts';
import type { Decided } from './decision.ts';
import { refuse } from './decision.ts';
import { checkBrokerEpoch } from './heartbeat.ts';

/** C-0.6: changes of one call; a broker with more replicas asks for the rest again. */
export const MAX_ASSIGNMENTS_PER_REQUEST = 10_000;

export function decideAssignReplicasToDirs(
  image: MetadataImage,
  request: AssignReplicasToDirsRequest,
): Decided<AssignReplicasToDirsResponse> {
  const broker = checkBrokerEpoch(image, request); // C-2.5
  if ('refused' in broker) return broker;
  if (image.level < ELR_LEVEL) {
    const message = `log dirs of replicas need metadata level ${ELR_LEVEL}: raise it by 'kvorum cluster upgrade'`;
    return refuse('INVALID_ARGUMENT', message);
  }
  const timesNamed = new Map<string, number>();
  const keyOf = ({ topicId, partition }: ReplicaDirectory): string => `${topicId}/${partition}`;
  for (const item of request.replicas) timesNamed.set(keyOf(item), (timesNamed.get(keyOf(item)) ?? 0) + 1);
  const records: MetadataRecord[] = [];
  const replicas = request.replicas.map((item, index) => {
    const { topicId, partition } = item;
    const error =
      (timesNamed.get(keyOf(item)) ?? 0) > 1
        ? itemError('INVALID_REQUEST', 'the request names the replica more than once')
        : index >= MAX_ASSIGNMENTS_PER_REQUEST
          ? itemError('OPERATION_NOT_ATTEMPTED', `one call assigns ${MAX_ASSIGNMENTS_PER_REQUEST} replicas at most`)
          : assign(image, broker, item, records);
    return { topicId, partition, error };
  });
  return { records, respond: () => ({ replicas }) };
}

function assign(
  image: MetadataImage,
  { brokerId, logDirs }: BrokerRegistration,
  { topicId, partition, directoryId }: ReplicaDirectory,
  records: MetadataRecord[],
): ItemError | undefined {
  if (!image.topics.has(topicId)) return itemError('UNKNOWN_TOPIC_ID', `there is no topic with id '${topicId}'`);
  const state = partitionOf(image, topicId, partition);
  if (state === undefined) {
    return itemError('UNKNOWN_TOPIC_OR_PARTITION', `the topic has no partition ${partition}`);
  }
  const index = state.replicas.indexOf(brokerId);
  if (index === -1) {
    return itemError('NOT_LEADER_OR_FOLLOWER', `broker ${brokerId} has no replica of the partition`);
  }
  if (!logDirs.includes(directoryId)) {
    return itemError('LOG_DIR_NOT_FOUND', `broker ${brokerId} has no log dir '${directoryId}' that is online`);
  }
  if (state.directories[index] === directoryId) return undefined;
  const directories = { directories: state.directories.with(index, directoryId) };
  const cause = `broker ${brokerId} said where its replica is`;
  records.push(
    metadataRecord({ $case: 'partitionChange', partitionChange: { topicId, partition, directories, cause } }),
  );
  return undefined;
}
