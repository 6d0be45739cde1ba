// A cluster's metadata log as it grows, batch by batch, with the decisions of the controller where there is one to make.
import type { NodeId, Offset } from '../../../src/base/ids.ts';
import { brokerLeaves, brokerReturns } from '../../../src/controller/decide/affected-partitions.ts';
import { isRefusal } from '../../../src/controller/decide/decision.ts';
import { decideElectLeaders } from '../../../src/controller/decide/elect-leaders.ts';
import { electionPolicyOf } from '../../../src/controller/decide/policy.ts';
import { ElectionType } from '../../../src/gen/kvorum/v1/admin.ts';
import type { MetadataRecord, PartitionRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import type { LoggedRecord } from '../../../src/metadata/explain.ts';
import type { MetadataImage } from '../../../src/metadata/image.ts';
import { EMPTY_IMAGE } from '../../../src/metadata/image.ts';
import { replay } from '../../../src/metadata/replay.ts';
import { partitionRecord, record, registration, topicRecord, uuid } from './fixture.ts';

export interface LoggedBatch {
  readonly baseOffset: Offset;
  readonly endOffset: Offset;
  readonly epoch: number;
  readonly timestampMs: number;
  readonly records: readonly MetadataRecord[];
}

const MOVE = { limit: 1000 };

export class Story {
  image: MetadataImage = EMPTY_IMAGE;
  readonly batches: LoggedBatch[] = [];
  epoch = 3;

  /** A cluster at this metadata level, whose brokers are active. */
  constructor(level: number, ...brokers: NodeId[]) {
    this.add(record({ $case: 'metadataLevel', metadataLevel: { level } }));
    for (const id of brokers) {
      this.add(registration(id));
      this.unfence(id);
    }
  }

  /** One batch; its offset. Decided at 1,000 ms for each offset. */
  add(...records: MetadataRecord[]): Offset {
    const baseOffset = this.image.endOffset;
    const timestampMs = baseOffset * 1000;
    const stamped = records.map((it, i) => (i === 0 ? { ...it, timestampMs } : it));
    const batch = { baseOffset, endOffset: baseOffset + records.length, epoch: this.epoch, records: stamped };
    this.image = replay(this.image, batch).image;
    this.batches.push({ ...batch, timestampMs });
    return baseOffset;
  }

  createTopic(name: string, id: number, ...partitions: (NodeId[] | Partial<PartitionRecord>)[]): void {
    const topicId = uuid(id);
    const records = partitions.map((it, partition) =>
      Array.isArray(it)
        ? partitionRecord(topicId, partition, it)
        : partitionRecord(topicId, partition, it.replicas ?? [], it),
    );
    this.add(topicRecord(name, topicId), ...records);
  }

  set(topic: string, key: string, value: string | undefined): void {
    this.add(record({ $case: 'config', config: { scope: ConfigScope.TOPIC, entity: topic, key, value } }));
  }

  fence(brokerId: NodeId, cause = 'session expired', unclean = false): void {
    const left = brokerLeaves(this.image, this.#policy(), {
      ...MOVE,
      brokerId,
      cause: `broker ${brokerId} fenced: ${cause}`,
      unclean,
    });
    this.add(...left.records, this.#change(brokerId, { fenced: true, cause }));
  }

  unfence(brokerId: NodeId, cause = 'caught up'): void {
    const returned = brokerReturns(this.image, this.#policy(), {
      ...MOVE,
      brokerId,
      cause: `broker ${brokerId} is back`,
    });
    this.add(...returned, this.#change(brokerId, { fenced: false, cause }));
  }

  change(brokerId: NodeId, fields: { inControlledShutdown?: boolean; logDirs?: string[]; cause?: string }): void {
    const { logDirs, ...rest } = fields;
    this.add(this.#change(brokerId, { ...rest, logDirs: logDirs && { directories: logDirs } }));
  }

  /** The ISR that a leader reports. */
  setIsr(topicId: number, partition: number, isr: NodeId[]): void {
    this.add(
      record({
        $case: 'partitionChange',
        partitionChange: {
          topicId: uuid(topicId),
          partition,
          isr: { replicas: isr },
          elr: { replicas: [] },
          cause: 'asked for by the leader',
        },
      }),
    );
  }

  electUncleanly(topic: string, partition: number): void {
    const request = {
      type: ElectionType.UNCLEAN,
      partitions: [{ topic, partition }],
      validateOnly: false,
      forwarded: false,
    };
    const decided = decideElectLeaders(this.image, request, this.#policy());
    if (isRefusal(decided)) throw new Error(decided.message);
    this.add(...decided.records);
  }

  /** What a log that begins at `startOffset` still holds. */
  recordAt(offset: Offset, startOffset = 0): LoggedRecord | undefined {
    const batch = this.batches.find((it) => it.baseOffset <= offset && offset < it.endOffset);
    const found = batch?.records[offset - batch.baseOffset];
    if (batch === undefined || found === undefined || offset < startOffset) return undefined;
    const { epoch, timestampMs } = batch;
    return { epoch, timestampMs, record: found, previous: batch.records[offset - batch.baseOffset - 1] };
  }

  #policy() {
    return electionPolicyOf(this.image);
  }

  #change(
    brokerId: NodeId,
    fields: {
      fenced?: boolean;
      inControlledShutdown?: boolean;
      logDirs?: { directories: string[] } | undefined;
      cause?: string;
    },
  ): MetadataRecord {
    const brokerEpoch = this.image.brokers.get(brokerId)?.brokerEpoch ?? -1;
    return record({ $case: 'brokerChange', brokerChange: { brokerId, brokerEpoch, cause: '', ...fields } });
  }
}
