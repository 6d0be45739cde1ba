// DescribeQuorum: asked of the leader of the quorum through any controller.
import { RpcError } from '../../env/network.ts';
import type { QuorumReplica } from '../../gen/kvorum/v1/admin.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type {
  DescribeQuorumRequest,
  describeQuorumApi,
  QuorumReplicaStateInput,
} from '../../protocol/apis/describe-quorum.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { BrokerContext } from '../context.ts';
import { describeFailure } from '../topic-commands.ts';

const METADATA_TOPIC = '__cluster_metadata';

export async function describeQuorum(
  context: BrokerContext,
  request: DescribeQuorumRequest,
): Promise<ResponseInput<typeof describeQuorumApi>> {
  const asked = request.topics.flatMap(({ topicName, partitions }) =>
    partitions.map(({ partitionIndex }) => `${topicName}-${partitionIndex}`),
  );
  if (asked.length !== 1 || asked[0] !== `${METADATA_TOPIC}-0`) {
    return { errorCode: ErrorCode.INVALID_REQUEST, errorMessage: `ask for ${METADATA_TOPIC} partition 0`, topics: [] };
  }
  try {
    const quorum = await context.topics.describeQuorum();
    const wallTime = context.clock.wallTime();
    const partition = {
      partitionIndex: 0,
      errorCode: ErrorCode.NONE,
      leaderId: quorum.leaderId,
      leaderEpoch: quorum.leaderEpoch,
      highWatermark: quorum.highWatermark,
      currentVoters: quorum.voters.map((replica) => replicaState(replica, wallTime)),
      observers: quorum.observers.map((replica) => replicaState(replica, wallTime)),
    };
    // The voters in force, where they can be reached.
    const nodes = context.config.voters.map(({ id, address }) => ({
      nodeId: id,
      listeners: [{ name: 'CONTROLLER', ...address }],
    }));
    return {
      errorCode: ErrorCode.NONE,
      topics: [{ topicName: METADATA_TOPIC, partitions: [partition] }],
      nodes,
    };
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    const { code, message } = describeFailure(error);
    return { errorCode: code, errorMessage: message, topics: [] };
  }
}

function replicaState(replica: QuorumReplica, wallTime: number): QuorumReplicaStateInput {
  const at = (ageMs: number): number => (ageMs < 0 ? -1 : Math.round(wallTime - ageMs));
  return {
    replicaId: replica.nodeId,
    replicaDirectoryId: replica.directoryId,
    logEndOffset: replica.logEndOffset,
    lastFetchTimestamp: at(replica.lastFetchAgeMs),
    lastCaughtUpTimestamp: at(replica.lastCaughtUpAgeMs),
  };
}
