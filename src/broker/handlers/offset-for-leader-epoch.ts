// OffsetForLeaderEpoch: where an epoch ended, so that a client finds out that what it read is gone (behaviour 40).
import type { ResponseInput } from '../../protocol/api.ts';
import type {
  OffsetForLeaderEpochRequest,
  offsetForLeaderEpochApi,
} from '../../protocol/apis/offset-for-leader-epoch.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { findEpochEnd } from '../../replica/read.ts';
import type { BrokerContext } from '../context.ts';
import { locatePartition } from '../locate.ts';

export async function offsetForLeaderEpoch(
  context: BrokerContext,
  request: OffsetForLeaderEpochRequest,
): Promise<ResponseInput<typeof offsetForLeaderEpochApi>> {
  const topics = await Promise.all(
    request.topics.map(async ({ topic, partitions }) => ({
      topic,
      partitions: await Promise.all(
        partitions.map(async ({ partition, currentLeaderEpoch, leaderEpoch }) => {
          const place = await locatePartition(context, topic, partition);
          if (typeof place === 'string') return { partition, errorCode: ErrorCode[place] };
          const { error, ...end } = findEpochEnd(place, leaderEpoch, currentLeaderEpoch);
          return { partition, errorCode: ErrorCode[error], ...end };
        }),
      ),
    })),
  );
  return { topics };
}
