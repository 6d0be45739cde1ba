// Partition logs read off the folders of brokers that are stopped, with nothing of the product but the record format: what the
// checkers believe.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FinalLog } from '../../../src/check/history.ts';
import type { ReplicaLog } from '../../../src/check/replicas.ts';
import type { BatchHeader } from '../../../src/record/batch.ts';
import { addToSequence } from '../../../src/record/batch.ts';
import { decodeRecords } from '../../../src/record/record.ts';
import { splitBatches } from '../../../src/record/scan.ts';
import type { Topic } from './load.ts';
import { recordText } from './load.ts';

interface DiskLog {
  readonly topic: string;
  readonly partition: number;
  readonly batches: readonly BatchHeader[];
}

/** The logs of the topics in a broker's folder. Error where a segment holds anything but whole batches. */
function diskLogs(folder: string, topics: readonly Topic[]): DiskLog[] {
  return topics.flatMap(({ name: topic, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => {
      const path = join(folder, `${topic}-${partition}`);
      const segments = readdirSync(path)
        .filter((name) => name.endsWith('.log'))
        .sort();
      return { topic, partition, batches: segments.flatMap((name) => batchesIn(join(path, name))) };
    }),
  );
}

function batchesIn(file: string): BatchHeader[] {
  const bytes = readFileSync(file);
  const batches = [...splitBatches(bytes)];
  const end = batches.at(-1)?.end ?? 0;
  if (end !== bytes.length) throw new Error(`${file}: no batch at byte ${end} of ${bytes.length}`);
  const rotten = batches.find((batch) => batch.computeCrc() !== batch.crc);
  if (rotten !== undefined)
    throw new Error(`${file}: the batch at offset ${rotten.baseOffset} is not what its CRC says`);
  return batches;
}

/** What a partition's leader holds. */
function finalLog({ topic, partition, batches }: DiskLog): FinalLog {
  const records = batches.flatMap((batch) =>
    decodeRecords(batch).map(({ offset, key, value }) => ({
      offset,
      leaderEpoch: batch.partitionLeaderEpoch,
      text: recordText(key, value),
      producerId: batch.producerId,
      producerEpoch: batch.producerEpoch,
      sequence: batch.baseSequence < 0 ? -1 : addToSequence(batch.baseSequence, offset - batch.baseOffset),
    })),
  );
  return { topic, partition, topicId: '', records };
}

/** Of a cluster that came to rest: all of every log is committed. `leaderOf`: who led when it was stopped. */
export function readLogs(
  folders: ReadonlyMap<number, string>,
  topics: readonly Topic[],
  leaderOf: (topic: string, partition: number) => number,
): { readonly logs: FinalLog[]; readonly replicas: ReplicaLog[] } {
  const all = [...folders].flatMap(([brokerId, folder]) => diskLogs(folder, topics).map((log) => ({ brokerId, log })));
  const leaders = all.filter(({ brokerId, log }) => leaderOf(log.topic, log.partition) === brokerId);
  const endOf = new Map(
    leaders.map(({ log }) => [`${log.topic}-${log.partition}`, log.batches.at(-1)?.nextOffset ?? 0]),
  );
  return {
    logs: leaders.map(({ log }) => finalLog(log)),
    replicas: all.map(({ brokerId, log: { topic, partition, batches } }) => ({
      ...{ brokerId, topic, partition },
      highWatermark: endOf.get(`${topic}-${partition}`) ?? 0,
      batches: batches.map(({ baseOffset, partitionLeaderEpoch, crc }) => ({
        ...{ baseOffset, leaderEpoch: partitionLeaderEpoch, crc },
      })),
    })),
  };
}
