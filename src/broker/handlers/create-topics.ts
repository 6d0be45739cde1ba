// CreateTopics: forwarded to the active controller, answered once this broker shows the result (behaviours 14, 17).
import { ZERO_UUID } from '../../base/uuid.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type {
  CreatableTopic,
  CreatableTopicResultInput,
  CreateTopicsRequest,
  createTopicsApi,
} from '../../protocol/apis/create-topics.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { BrokerContext } from '../context.ts';
import { describeFailure } from '../topic-commands.ts';

/** Kafka's DYNAMIC_TOPIC_CONFIG. */
const SET_ON_TOPIC = 1;

export async function createTopics(
  context: BrokerContext,
  request: CreateTopicsRequest,
): Promise<ResponseInput<typeof createTopicsApi>> {
  const { topics: requested, validateOnly, timeoutMs } = request;
  try {
    const answer = await context.topics.create(requested.map(newTopic), validateOnly, timeoutMs);
    return {
      topics: answer.topics.map((topic): CreatableTopicResultInput => {
        if (topic.error !== undefined) return failed(topic.name, topic.error.code, topic.error.message);
        return {
          name: topic.name,
          topicId: topic.topicId === '' ? ZERO_UUID : topic.topicId, // none is given where it is only validated
          errorCode: ErrorCode.NONE,
          errorMessage: null,
          numPartitions: topic.partitions,
          replicationFactor: topic.replicationFactor,
          configs: Object.entries(topic.configs).map(([name, value]) => ({
            name,
            value,
            readOnly: false,
            configSource: SET_ON_TOPIC,
            isSensitive: false,
          })),
        };
      }),
    };
  } catch (error) {
    const { code, message } = describeFailure(error);
    return { topics: requested.map(({ name }) => failed(name, code, message)) };
  }
}

function failed(name: string, errorCode: number, errorMessage: string): CreatableTopicResultInput {
  return { name, topicId: ZERO_UUID, errorCode, errorMessage };
}

function newTopic(topic: CreatableTopic) {
  return {
    name: topic.name,
    partitions: topic.numPartitions,
    replicationFactor: topic.replicationFactor,
    configs: Object.fromEntries(topic.configs.flatMap(({ name, value }) => (value === null ? [] : [[name, value]]))),
    assignments: topic.assignments.map(({ partitionIndex, brokerIds }) => ({
      partition: partitionIndex,
      replicas: [...brokerIds],
    })),
  };
}
