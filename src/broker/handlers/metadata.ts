// Metadata: brokers and leaders from the committed image; starts the creation of missing topics where client and broker allow it.

import type { NodeId } from '../../base/ids.ts';
import { NO_NODE } from '../../base/ids.ts';
import type { Uuid } from '../../base/uuid.ts';
import { ZERO_UUID } from '../../base/uuid.ts';
import { valueInForce } from '../../config/in-force.ts';
import type { BrokerRegistration, MetadataImage, TopicImage } from '../../metadata/image.ts';
import { topicByName, topicsInOrder } from '../../metadata/image.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type { MetadataRequest, MetadataTopicInput, metadataApi } from '../../protocol/apis/metadata.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { brokerOverrides } from '../../replica/broker-overrides.ts';
import { aliveBrokers, anyAliveBroker } from '../brokers.ts';
import type { BrokerContext, Call } from '../context.ts';
import { isLegalTopicName } from '../topic-commands.ts';

type RequestedTopic = NonNullable<MetadataRequest['topics']>[number];

/** Whether every topic is asked for: null, or in version 0 an empty list. */
function wantsAll(request: MetadataRequest, call: Call): boolean {
  return request.topics === null || (call.apiVersion === 0 && request.topics.length === 0);
}

export function metadata(
  context: BrokerContext,
  request: MetadataRequest,
  call: Call,
): ResponseInput<typeof metadataApi> {
  const image = context.metadata.image;
  const topics = wantsAll(request, call)
    ? topicsInOrder(image).map((topic) => describe(image, topic))
    : (request.topics ?? []).map((topic) => answerTopic(context, image, request, topic, call));
  return {
    brokers: aliveBrokers(image, call.listener),
    clusterId: context.clusterId,
    controllerId: anyAliveBroker(image, context.config.nodeId),
    topics,
  };
}

function failed(topic: RequestedTopic, errorCode: number): MetadataTopicInput {
  return { errorCode, name: topic.name, topicId: topic.topicId, partitions: [] };
}

function answerTopic(
  context: BrokerContext,
  image: MetadataImage,
  request: MetadataRequest,
  asked: RequestedTopic,
  call: Call,
): MetadataTopicInput {
  if (asked.topicId !== ZERO_UUID || asked.name === null) {
    // Versions 10 and 11 carry ids that mean nothing yet.
    if (call.apiVersion < 12) return failed({ ...asked, name: asked.name ?? '' }, ErrorCode.INVALID_REQUEST);
    const topic = image.topics.get(asked.topicId);
    return topic === undefined ? failed({ ...asked, name: null }, ErrorCode.UNKNOWN_TOPIC_ID) : describe(image, topic);
  }
  const topic = topicByName(image, asked.name);
  if (topic !== undefined) return describe(image, topic);
  if (!isLegalTopicName(asked.name)) return failed(asked, ErrorCode.INVALID_TOPIC_EXCEPTION);
  if (request.allowAutoTopicCreation && createsMissing(context)) {
    context.topics.createMissing(asked.name); // behaviour 12: the client asks again
  }
  return failed(asked, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
}

function createsMissing({ metadata: { image }, config: { nodeId, values } }: BrokerContext): boolean {
  return valueInForce('auto.create.topics.enable', brokerOverrides(image, nodeId), values);
}

function describe(image: MetadataImage, topic: TopicImage): MetadataTopicInput {
  return {
    errorCode: ErrorCode.NONE,
    name: topic.name,
    topicId: topic.topicId,
    partitions: topic.partitions.toArray().map((state, partitionIndex) => {
      const leaderId = leaderOf(image, state.leader);
      return {
        errorCode: leaderId === NO_NODE ? ErrorCode.LEADER_NOT_AVAILABLE : ErrorCode.NONE,
        partitionIndex,
        leaderId,
        leaderEpoch: state.leaderEpoch,
        replicaNodes: state.replicas,
        isrNodes: state.isr,
        offlineReplicas: state.replicas.filter((id, i) => isOffline(image.brokers.get(id), state.directories[i])),
      };
    }),
  };
}

/** As Kafka has it: one that is about to leave is there still. */
function isOffline(broker: BrokerRegistration | undefined, directory: Uuid = ZERO_UUID): boolean {
  if (broker === undefined || broker.fenced) return true;
  return directory !== ZERO_UUID && !broker.logDirs.includes(directory);
}

/** A leader that is not alive is none to a client. */
function leaderOf(image: MetadataImage, leader: NodeId): NodeId {
  const broker = image.brokers.get(leader);
  return broker === undefined || broker.fenced ? NO_NODE : leader;
}
