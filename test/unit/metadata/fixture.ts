// Records and images for tests: ids that read well, and a log that is folded as it is written.
import type { NodeId } from '../../../src/base/ids.ts';
import type { Uuid } from '../../../src/base/uuid.ts';
import { uuidFromBytes, ZERO_UUID } from '../../../src/base/uuid.ts';
import type { MetadataRecord, PartitionRecord, RegisterBrokerRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import type { MetadataImage } from '../../../src/metadata/image.ts';
import { EMPTY_IMAGE } from '../../../src/metadata/image.ts';
import type { RecordKind } from '../../../src/metadata/record.ts';
import { LATEST_METADATA_LEVEL, metadataRecord } from '../../../src/metadata/record.ts';
import { replay } from '../../../src/metadata/replay.ts';

/** A valid id for each small number, 0 excluded. */
export function uuid(n: number): Uuid {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32BE(n, 12);
  return uuidFromBytes(bytes);
}

/** The record of broker `brokerId` with directory uuid(1000 + id). */
export function registration(brokerId: NodeId, fields: Partial<RegisterBrokerRecord> = {}): MetadataRecord {
  return metadataRecord({
    $case: 'registerBroker',
    registerBroker: {
      brokerId,
      incarnationId: uuid(100 + brokerId),
      logDirs: [uuid(1000 + brokerId)],
      endpoints: [{ listener: 'PLAINTEXT', host: `broker-${brokerId}`, port: 9092 }],
      rack: '',
      bootCounter: 1,
      cleanStart: true,
      afterCrash: false,
      inControlledShutdown: false,
      minMetadataLevel: 1,
      maxMetadataLevel: LATEST_METADATA_LEVEL,
      stateOffset: -1,
      stateTimestampMs: -1,
      stateCause: '',
      ...fields,
    },
  });
}

/** What a partition has beside its leader and replicas when nothing went wrong. */
export const CALM = { elr: [], lastKnownLeader: -1, recovering: false, adding: [], removing: [], leaderOffset: 0 };

export function topicRecord(name: string, topicId: Uuid): MetadataRecord {
  return metadataRecord({ $case: 'topic', topic: { name, topicId } });
}

/** A partition with all replicas in the ISR and the first one leading. */
export function partitionRecord(
  topicId: Uuid,
  partition: number,
  replicas: NodeId[],
  fields: Partial<PartitionRecord> = {},
): MetadataRecord {
  return metadataRecord({
    $case: 'partition',
    partition: {
      topicId,
      partition,
      replicas,
      isr: replicas,
      leader: replicas[0] ?? -1,
      leaderEpoch: 0,
      partitionEpoch: 0,
      directories: replicas.map(() => ZERO_UUID),
      elr: [],
      recovering: false,
      adding: [],
      removing: [],
      ...fields,
    },
  });
}

export const LEVEL_1 = metadataRecord({ $case: 'metadataLevel', metadataLevel: { level: 1 } });

export function record(kind: RecordKind): MetadataRecord {
  return metadataRecord(kind);
}

/** The image after one more batch. */
export function after(image: MetadataImage, ...records: MetadataRecord[]): MetadataImage {
  const endOffset = image.endOffset + records.length;
  return replay(image, { baseOffset: image.endOffset, endOffset, epoch: Math.max(1, image.epoch), records }).image;
}

/** A cluster at level 1 in which these brokers are registered and unfenced. */
export function clusterOf(...brokerIds: NodeId[]): MetadataImage {
  return brokerIds.reduce(
    (image, id) => after(image, registration(id, { fenced: false })),
    after(EMPTY_IMAGE, LEVEL_1),
  );
}
