// Records of a made-up cluster: three brokers with one log dir each, topics with three replicas of every partition.
import type { MetadataRecord } from '../../src/gen/kvorum/v1/metadata.ts';
import { built } from '../harness/built.ts';

const { uuidFromBytes } = await built<typeof import('../../src/base/uuid.ts')>('base/uuid.js');
const { metadataRecord } = await built<typeof import('../../src/metadata/record.ts')>('metadata/record.js');

/** A topic id, or any other: the same for the same number. */
export function uuid(n: number): string {
  const bytes = Buffer.alloc(16, 7);
  bytes.writeUInt32BE(n + 1, 12);
  return uuidFromBytes(bytes);
}

export const BROKERS = [1, 2, 3];
const DIRECTORIES = BROKERS.map((id) => uuid(1_000_000 + id));

export function brokerRecords(): MetadataRecord[] {
  return [
    metadataRecord({ $case: 'metadataLevel', metadataLevel: { level: 2 } }),
    ...BROKERS.map((brokerId, i) =>
      metadataRecord({
        $case: 'registerBroker',
        registerBroker: {
          brokerId,
          incarnationId: uuid(2_000_000 + brokerId),
          logDirs: [DIRECTORIES[i] ?? ''],
          endpoints: [{ listener: 'PLAINTEXT', host: '127.0.0.1', port: 9092 + i }],
          rack: '',
          bootCounter: 1,
          cleanStart: true,
          afterCrash: false,
          brokerEpoch: undefined,
          fenced: false,
          inControlledShutdown: false,
          minMetadataLevel: 1,
          maxMetadataLevel: 2,
          stateOffset: -1,
          stateTimestampMs: -1,
          stateCause: '',
        },
      }),
    ),
  ];
}

/** The topic and its partitions, leaders spread evenly. */
export function topicRecords(number: number, partitions: number): MetadataRecord[] {
  const topicId = uuid(number);
  const records = [metadataRecord({ $case: 'topic', topic: { name: `topic-${number}`, topicId } })];
  for (let partition = 0; partition < partitions; partition++) {
    const order = BROKERS.map((_, i) => (number + partition + i) % BROKERS.length);
    const replicas = order.map((i) => BROKERS[i] ?? 0);
    records.push(
      metadataRecord({
        $case: 'partition',
        partition: {
          topicId,
          partition,
          replicas,
          isr: replicas,
          leader: replicas[0] ?? 0,
          leaderEpoch: 0,
          partitionEpoch: 0,
          directories: order.map((i) => DIRECTORIES[i] ?? ''),
          elr: [],
          recovering: false,
          adding: [],
          removing: [],
        },
      }),
    );
  }
  return records;
}
