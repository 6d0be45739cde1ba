// DeleteRecords: moves the start of partitions that this broker leads (behaviour 58), each on its own. The timeout is for the other
// replicas; what the leader itself does it does to the end.
import type { ResponseInput } from '../../protocol/api.ts';
import type { DeleteRecordsRequest, deleteRecordsApi } from '../../protocol/apis/delete-records.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { DeletedRecords } from '../../replica/records-deletion.ts';
import { deleteRecords as deleteFrom } from '../../replica/records-deletion.ts';
import type { BrokerContext } from '../context.ts';
import { locatePartition } from '../locate.ts';

/** A client that is gone must not keep a wait for ever. */
const MAX_WAIT_MS = 60_000;

export async function deleteRecords(
  context: BrokerContext,
  request: DeleteRecordsRequest,
): Promise<ResponseInput<typeof deleteRecordsApi>> {
  const one = async (topic: string, partition: number, offset: number | bigint): Promise<DeletedRecords> => {
    const place = await locatePartition(context, topic, partition);
    return typeof place === 'string'
      ? { error: place, lowWatermark: -1 }
      : deleteFrom(place, offset, Math.min(request.timeoutMs, MAX_WAIT_MS));
  };
  const topics = await Promise.all(
    request.topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await Promise.all(
        partitions.map(async ({ partitionIndex, offset }) => {
          const { error, lowWatermark } = await one(name, partitionIndex, offset);
          return { partitionIndex, lowWatermark, errorCode: ErrorCode[error] };
        }),
      ),
    })),
  );
  return { topics };
}
