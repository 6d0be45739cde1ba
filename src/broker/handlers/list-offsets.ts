// ListOffsets: offsets by time or by special timestamps (behaviour 39).
import type { ResponseInput } from '../../protocol/api.ts';
import type {
  ListOffsetsPartitionResponseInput,
  ListOffsetsRequest,
  listOffsetsApi,
} from '../../protocol/apis/list-offsets.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { findOffset } from '../../replica/read.ts';
import type { BrokerContext } from '../context.ts';
import { locatePartition } from '../locate.ts';

export async function listOffsets(
  context: BrokerContext,
  request: ListOffsetsRequest,
): Promise<ResponseInput<typeof listOffsetsApi>> {
  const topics = await Promise.all(
    request.topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await Promise.all(
        partitions.map(
          async ({ partitionIndex, timestamp, currentLeaderEpoch }): Promise<ListOffsetsPartitionResponseInput> => {
            const place = await locatePartition(context, name, partitionIndex);
            if (typeof place === 'string') return { partitionIndex, errorCode: ErrorCode[place] };
            const { error, ...found } = await findOffset(place, timestamp, currentLeaderEpoch);
            return { partitionIndex, errorCode: ErrorCode[error], ...found };
          },
        ),
      ),
    })),
  );
  return { topics };
}
