// `kvorum topic delete-records`: the start of partitions moves up to an offset, or to their end (D-9.1).
import { ClientError } from '../../client/client-error.ts';
import type { ClusterClient } from '../../client/cluster.ts';
import { EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, listOffset } from '../../client/leader-call.ts';
import type { ItemError } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition as Admin } from '../../gen/kvorum/v1/admin.ts';
import { ConfigScope } from '../../gen/kvorum/v1/metadata.ts';
import type { ErrorName } from '../../protocol/error-codes.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { withAdmin } from '../admin-client.ts';
import { inBatches } from '../batches.ts';
import { DEFAULT_TIMEOUT_MS } from '../common-options.ts';
import { confirm } from '../confirm.ts';
import { UsageError } from '../failure.ts';
import { reportItems } from '../items.ts';
import { existingTopic, withKafka } from '../kafka-client.ts';
import type { DeleteRecordsOptions } from '../options.ts';

/** In place of an offset: all that is committed. */
const END = -1;

/** `--before`: an offset, or `end` as -1. */
export function beforeOffset(text: string): number {
  if (text === 'end') return END;
  const offset = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(offset)) return offset;
  throw new UsageError(`--before takes an offset, or end for all records, not '${text}'`);
}

export async function deleteRecords(topic: string, options: DeleteRecordsOptions): Promise<void> {
  const offset = beforeOffset(options.before);
  const partitions = [...new Set(options.partition)];
  if (options.dryRun === true) return tellWhatGoes(topic, partitions, offset, options);
  const which = partitions.map((partition) => `${topic}-${partition}`).join(', ');
  const what = offset === END ? `all records of ${which}` : `the records of ${which} below offset ${offset}`;
  await confirm(options, `Delete ${what}?`, 'nothing was deleted');
  const wanted = partitions.map((partition) => ({ topic, partition, beforeOffset: offset }));
  // The leaders give up before this command does, and the answer says which one.
  const timeoutMs = Math.floor((options.timeout ?? DEFAULT_TIMEOUT_MS) * 0.9);
  const { answers, failure } = await withAdmin(options, (admin) =>
    inBatches(wanted, (batch) => admin.change(Admin.methods.deleteRecords, { partitions: batch, timeoutMs })),
  );
  const done = answers.flatMap((answer) => answer.partitions);
  if (answers.length > 0) {
    await reportItems(
      options.format,
      { partitions: done },
      done.map(({ partition, error, lowWatermark }) => ({
        name: `${topic}-${partition}`,
        error,
        text: `begins at offset ${lowWatermark} now`,
      })),
    );
  }
  if (failure !== undefined) throw failure;
}

interface WhatGoes {
  readonly topic: string;
  readonly partition: number;
  readonly error: ItemError | undefined;
  /** The offsets that there are: startOffset <= o < endOffset. */
  readonly startOffset: number;
  readonly endOffset: number;
  /** Where the partition would begin. */
  readonly lowWatermark: number;
}

/** Only looks: where the partitions begin and end now, and whether the topic lets records be deleted. */
async function tellWhatGoes(
  topic: string,
  partitions: readonly number[],
  offset: number,
  options: DeleteRecordsOptions,
): Promise<void> {
  const isDeleted = await deletesRecords(topic, options);
  const found = await withKafka(options, async (cluster) => {
    const { partitions: known } = await existingTopic(cluster, topic);
    return Promise.all(
      partitions.map(async (partition): Promise<WhatGoes> => {
        if (partition >= known.length) {
          const message = `topic ${topic} has partitions 0 to ${known.length - 1}, not ${partition}`;
          return refused(topic, partition, 'UNKNOWN_TOPIC_OR_PARTITION', message);
        }
        if (!isDeleted) {
          const message = `topic ${topic} is only compacted: records can be deleted where cleanup.policy has delete`;
          return refused(topic, partition, 'POLICY_VIOLATION', message);
        }
        return look(cluster, { topic, partition, offset });
      }),
    );
  });
  await reportItems(
    options.format,
    { partitions: found },
    found.map((it) => ({ name: `${topic}-${it.partition}`, error: it.error, text: textOf(it) })),
  );
}

async function deletesRecords(topic: string, options: DeleteRecordsOptions): Promise<boolean> {
  const request = { resources: [{ scope: ConfigScope.TOPIC, name: topic }], keys: ['cleanup.policy'] };
  const { resources } = await withAdmin(options, (admin) => admin.read(Admin.methods.describeConfigs, request));
  // Of a topic that is not there, who looks for its partitions tells.
  const policy = resources[0]?.entries[0]?.value;
  return policy === undefined || policy.split(',').includes('delete');
}

async function look(
  cluster: ClusterClient,
  { topic, partition, offset }: { readonly topic: string; readonly partition: number; readonly offset: number },
): Promise<WhatGoes> {
  try {
    const [start, end] = await Promise.all([
      listOffset(cluster, topic, partition, EARLIEST_TIMESTAMP),
      listOffset(cluster, topic, partition, LATEST_TIMESTAMP),
    ]);
    const [startOffset, endOffset] = [start.offset, end.offset];
    if (offset > endOffset) {
      return refused(topic, partition, 'OFFSET_OUT_OF_RANGE', `its records end at offset ${endOffset}`);
    }
    const lowWatermark = offset === END ? endOffset : Math.max(startOffset, offset);
    return { topic, partition, error: undefined, startOffset, endOffset, lowWatermark };
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    return refused(topic, partition, 'LEADER_NOT_AVAILABLE', error.message);
  }
}

function refused(topic: string, partition: number, name: ErrorName, message: string): WhatGoes {
  const error = { code: ErrorCode[name], name, message };
  return { topic, partition, error, startOffset: -1, endOffset: -1, lowWatermark: -1 };
}

function textOf({ startOffset, endOffset, lowWatermark }: WhatGoes): string {
  const stays = lowWatermark === endOffset ? 'none stay' : `${lowWatermark} to ${endOffset - 1} stay`;
  if (lowWatermark === startOffset) return `nothing would be deleted, ${stays}`;
  return `offsets ${startOffset} to ${lowWatermark - 1} would be deleted, ${stays}`;
}
