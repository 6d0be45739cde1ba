// Applies records to an image: total, deterministic and pure (C-0.4, C-0.5). Leaders, followers and brokers run exactly this.
// A record that does not fit the image is a bug or a damaged log, and ends the node. Topics and partitions: replay-topics.ts;
// the loss ledger: replay-losses.ts.
import type { Map as ImmutableMap } from 'immutable';
import { Map as ImmutableMapOf } from 'immutable';
import { assert, must, unreachable } from '../base/assert.ts';
import type { Epoch, Offset } from '../base/ids.ts';
import type {
  BrokerChangeRecord,
  ConfigRecord,
  MetadataRecord,
  ProducerIdsRecord,
  RegisterBrokerRecord,
  UnregisterBrokerRecord,
} from '../gen/kvorum/v1/metadata.ts';
import { ConfigScope } from '../gen/kvorum/v1/metadata.ts';
import { applyCommand } from './commands.ts';
import type { MetadataDelta } from './delta.ts';
import type { Draft } from './draft.ts';
import { draftInPlaceOf, imageOf } from './draft.ts';
import type { ConfigEntity, MetadataImage, Provenance } from './image.ts';
import { topicEntity } from './image.ts';
import { LATEST_METADATA_LEVEL, MIN_METADATA_LEVEL } from './record.ts';
import { applyReplicaLoss, openLoss, restoreLoss } from './replay-losses.ts';
import { applyPartition, applyPartitionChange, applyRemoveTopic, applyTopic } from './replay-topics.ts';

/** One atomic batch of the metadata log; records take offsets baseOffset, baseOffset+1, …, all below endOffset. */
export interface MetadataBatch {
  readonly baseOffset: Offset;
  readonly endOffset: Offset;
  readonly epoch: Epoch;
  /** Empty for the quorum's own control batches, which take offsets too. */
  readonly records: readonly MetadataRecord[];
}

/** The image after the batch, and what changed. AssertionError if the batch does not follow the image (C-0.4). */
export function replay(image: MetadataImage, batch: MetadataBatch): { image: MetadataImage; delta: MetadataDelta } {
  assert(
    batch.baseOffset >= image.endOffset && batch.endOffset >= batch.baseOffset + batch.records.length,
    () => `batch ${batch.baseOffset}..${batch.endOffset} replayed on an image that ends at ${image.endOffset}`,
  );
  const draft = draftInPlaceOf(image);
  batch.records.forEach((record, index) => {
    applyRecord(draft, record, batch.baseOffset + index);
  });
  return { image: imageOf(draft, batch.endOffset, batch.epoch), delta: draft.changed };
}

/** The record at `offset`, applied. AssertionError if it does not follow from those before (C-0.4). */
export function applyRecord(draft: Draft, record: MetadataRecord, offset: Offset): void {
  const { kind } = record;
  if (record.timestampMs !== undefined) draft.timestampMs = record.timestampMs;
  if (kind === undefined) {
    assert(record.skippable, `the record at offset ${offset} has no kind`);
    return;
  }
  switch (kind.$case) {
    case 'metadataLevel':
      return applyLevel(draft, kind.metadataLevel.level);
    case 'registerBroker':
      return applyRegisterBroker(draft, kind.registerBroker, offset);
    case 'brokerChange':
      return applyBrokerChange(draft, kind.brokerChange, offset);
    case 'topic':
      return applyTopic(draft, kind.topic);
    case 'partition':
      return applyPartition(draft, kind.partition, offset);
    case 'partitionChange':
      return applyPartitionChange(draft, kind.partitionChange, offset);
    case 'removeTopic':
      return applyRemoveTopic(draft, kind.removeTopic.topicId);
    case 'config':
      return applyConfig(draft, kind.config);
    case 'producerIds':
      return applyProducerIds(draft, kind.producerIds);
    case 'command':
      return applyCommand(draft, kind.command);
    case 'unregisterBroker':
      return applyUnregisterBroker(draft, kind.unregisterBroker);
    case 'uncleanElection':
      return openLoss(draft, kind.uncleanElection, offset);
    case 'replicaLoss':
      return applyReplicaLoss(draft, kind.replicaLoss, offset);
    case 'partitionLoss':
      return restoreLoss(draft, kind.partitionLoss);
    case 'noOp':
      return;
    default:
      unreachable(kind, 'metadata record');
  }
}

function applyLevel(draft: Draft, level: number): void {
  assert(level > draft.level, `metadata level ${level} does not raise the present one, ${draft.level}`);
  assert(
    level <= LATEST_METADATA_LEVEL,
    () =>
      `the cluster is at metadata level ${level}, and this version knows levels up to ${LATEST_METADATA_LEVEL}: ` +
      'run this node with the version that the other nodes run',
  );
  draft.level = level;
}

function applyRegisterBroker(draft: Draft, record: RegisterBrokerRecord, offset: Offset): void {
  const { brokerId } = record;
  const brokerEpoch = record.brokerEpoch ?? offset;
  const previous = draft.brokers.get(brokerId);
  assert(
    previous === undefined || brokerEpoch > previous.brokerEpoch,
    `broker ${brokerId} registers with an epoch that is not above its last`,
  );
  draft.brokers = draft.brokers.set(brokerId, {
    brokerId,
    brokerEpoch,
    incarnationId: record.incarnationId,
    logDirs: record.logDirs,
    endpoints: record.endpoints,
    rack: record.rack,
    bootCounter: record.bootCounter,
    fenced: record.fenced ?? true,
    inControlledShutdown: record.inControlledShutdown,
    minMetadataLevel: Math.max(record.minMetadataLevel, MIN_METADATA_LEVEL),
    maxMetadataLevel: Math.max(record.maxMetadataLevel, MIN_METADATA_LEVEL),
    state: stateOf(record, { offset, timestampMs: draft.timestampMs }),
  });
  draft.changed.brokers.add(brokerId);
}

function registeredText({ cleanStart, afterCrash }: RegisterBrokerRecord): string {
  if (!cleanStart) return 'registered after a crash that may have cost records';
  return afterCrash ? 'registered after a crash that cost nothing acknowledged' : 'registered';
}

/** A snapshot says it; one of an early version does not, and has 0, which is the offset of no broker's record. */
function stateOf(record: RegisterBrokerRecord, at: Omit<Provenance, 'cause'>): Provenance {
  if (record.brokerEpoch === undefined) {
    return { ...at, cause: registeredText(record) };
  }
  const { stateOffset, stateTimestampMs, stateCause } = record;
  return stateOffset > 0
    ? { offset: stateOffset, timestampMs: stateTimestampMs, cause: stateCause }
    : { offset: -1, timestampMs: -1, cause: '' };
}

function applyBrokerChange(draft: Draft, record: BrokerChangeRecord, offset: Offset): void {
  const { brokerId, brokerEpoch } = record;
  const broker = must(draft.brokers.get(brokerId), `broker ${brokerId}, which a record changes,`);
  assert(broker.brokerEpoch === brokerEpoch, `a change of broker ${brokerId} is for another epoch than its own`);
  const changesState = record.fenced !== undefined || record.inControlledShutdown !== undefined;
  draft.brokers = draft.brokers.set(brokerId, {
    ...broker,
    fenced: record.fenced ?? broker.fenced,
    inControlledShutdown: record.inControlledShutdown ?? broker.inControlledShutdown,
    logDirs: record.logDirs?.directories ?? broker.logDirs,
    // Log dirs that fail do not make it fenced or unfenced.
    state: changesState ? { offset, timestampMs: draft.timestampMs, cause: record.cause } : broker.state,
  });
  draft.changed.brokers.add(brokerId);
}

/** C-2.6. That it is in no ISR is seen by the checks of partitions, when they change. */
function applyUnregisterBroker(draft: Draft, { brokerId, brokerEpoch }: UnregisterBrokerRecord): void {
  const broker = must(draft.brokers.get(brokerId), `broker ${brokerId}, which a record forgets,`);
  assert(broker.brokerEpoch === brokerEpoch, `broker ${brokerId} is forgotten under another epoch than its own`);
  draft.brokers = draft.brokers.delete(brokerId);
  draft.changed.brokers.add(brokerId);
}

/** Whose key the record sets. */
export function entityOf(record: ConfigRecord): ConfigEntity {
  if (record.scope === ConfigScope.TOPIC) return topicEntity(record.entity);
  assert(record.scope === ConfigScope.BROKER, `a config record has scope ${record.scope}`);
  return `broker:${record.entity}`;
}

function applyConfig(draft: Draft, record: ConfigRecord): void {
  const entity = entityOf(record);
  assert(
    record.scope !== ConfigScope.TOPIC || draft.topicIds.has(record.entity),
    `config ${record.key} is set on topic ${record.entity}, which does not exist`,
  );
  const before: ImmutableMap<string, string> = draft.configs.get(entity) ?? ImmutableMapOf();
  const after = record.value === undefined ? before.delete(record.key) : before.set(record.key, record.value);
  draft.configs = after.size === 0 ? draft.configs.delete(entity) : draft.configs.set(entity, after);
  draft.changed.configs.add(entity);
}

function applyProducerIds(draft: Draft, record: ProducerIdsRecord): void {
  assert(
    record.nextProducerId > draft.nextProducerId,
    `producer ids go back from ${draft.nextProducerId} to ${record.nextProducerId}`,
  );
  draft.nextProducerId = record.nextProducerId;
}
