// DeleteTopics: by name, or from version 6 by id; forwarded to the active controller.
import { ZERO_UUID } from '../../base/uuid.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type { DeleteTopicsRequest, deleteTopicsApi } from '../../protocol/apis/delete-topics.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { BrokerContext, Call } from '../context.ts';
import { describeFailure } from '../topic-commands.ts';

export async function deleteTopics(
  context: BrokerContext,
  request: DeleteTopicsRequest,
  call: Call,
): Promise<ResponseInput<typeof deleteTopicsApi>> {
  const topics =
    call.apiVersion < 6
      ? request.topicNames.map((name) => ({ name, topicId: '' }))
      : request.topics.map(({ name, topicId }) => ({
          name: name ?? '',
          topicId: topicId === ZERO_UUID ? '' : topicId,
        }));
  try {
    const answer = await context.topics.delete(topics, request.timeoutMs);
    return {
      responses: answer.topics.map(({ name, topicId, error }) => ({
        name: name === '' && call.apiVersion >= 6 ? null : name,
        topicId: topicId === '' ? ZERO_UUID : topicId,
        errorCode: error?.code ?? ErrorCode.NONE,
        errorMessage: error?.message ?? null,
      })),
    };
  } catch (error) {
    const { code, message } = describeFailure(error);
    return {
      responses: topics.map(({ name, topicId }) => ({
        name: name === '' && call.apiVersion >= 6 ? null : name,
        topicId: topicId === '' ? ZERO_UUID : topicId,
        errorCode: code,
        errorMessage: message,
      })),
    };
  }
}
