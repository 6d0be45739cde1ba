// ListOffsets: offsets by time or by special timestamps (behaviour 39).
import type { ResponseInput } from '../../protocol/api.ts';
import type {
  ListOffsetsPartitionResponseInput,
  ListOffsetsRequest,
  listOffsetsApi,
} from '../../protocol/apis/list-offsets.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { findLogEnd } from '../../replica/follower-fetch.ts';
import { findOffset } from '../../replica/read.ts';
import type { BrokerContext, Call } from '../context.ts';
import { locatePartition } from '../locate.ts';

const LATEST = -1;

/** The first version of each special timestamp. */
const SPECIAL_SINCE: ReadonlyMap<number, number> = new Map([
  [LATEST, 1],
  [-2, 1],
  [-3, 7],
  [-4, 8],
  [-5, 9],
]);

function isKnownTimestamp(timestamp: number | bigint, apiVersion: number): boolean {
  return timestamp >= 0 || apiVersion >= (SPECIAL_SINCE.get(Number(timestamp)) ?? Number.POSITIVE_INFINITY);
}

export async function listOffsets(
  context: BrokerContext,
  request: ListOffsetsRequest,
  call: Call,
): Promise<ResponseInput<typeof listOffsetsApi>> {
  const topics = await Promise.all(
    request.topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await Promise.all(
        partitions.map(
          async ({ partitionIndex, timestamp, currentLeaderEpoch }): Promise<ListOffsetsPartitionResponseInput> => {
            if (!isKnownTimestamp(timestamp, call.apiVersion)) {
              return { partitionIndex, errorCode: ErrorCode.UNSUPPORTED_VERSION };
            }
            const place = await locatePartition(context, name, partitionIndex);
            if (typeof place === 'string') return { partitionIndex, errorCode: ErrorCode[place] };
            const { error, ...found } =
              request.replicaId >= 0 && Number(timestamp) === LATEST
                ? findLogEnd(place, currentLeaderEpoch)
                : await findOffset(place, timestamp, currentLeaderEpoch);
            return { partitionIndex, errorCode: ErrorCode[error], ...found };
          },
        ),
      ),
    })),
  );
  return { topics };
}
