// A replica says what it lost, or that it lost nothing (S-D8, D-3.5, D-3.8, D-11.1): it is in the loss ledger once, however often it is
// said. Each report on its own, all of them in one batch.
import type { ItemError } from '../../gen/kvorum/v1/admin.ts';
import type { ReportedLoss, ReportLossesRequest, ReportLossesResponse } from '../../gen/kvorum/v1/controller.ts';
import type { MetadataRecord, ReplicaLossRecord } from '../../gen/kvorum/v1/metadata.ts';
import { LossKind } from '../../gen/kvorum/v1/metadata.ts';
import { itemError } from '../../metadata/errors.ts';
import type { MetadataImage, PartitionState } from '../../metadata/image.ts';
import { partitionOf } from '../../metadata/image.ts';
import { LEDGER_LEVEL } from '../../metadata/level.ts';
import type { PartitionLoss } from '../../metadata/loss-entry.ts';
import { lossesOf } from '../../metadata/losses.ts';
import { metadataRecord } from '../../metadata/record.ts';
import { withReport } from '../../metadata/replay-losses.ts';
import type { Decided } from './decision.ts';
import { refuse } from './decision.ts';
import { partitionKeyOf } from './named-twice.ts';

/** C-0.6: reports of one call; a broker with more asks for the rest again. */
export const MAX_LOSSES_PER_REQUEST = 5000;

const KINDS: ReadonlySet<LossKind> = new Set([LossKind.LED, LossKind.CUT, LossKind.HOLE, LossKind.SHORT]);

/** The sender is the registered incarnation (C-2.5). */
export function decideReportLosses(image: MetadataImage, request: ReportLossesRequest): Decided<ReportLossesResponse> {
  if (image.level < LEDGER_LEVEL) {
    const message = `the loss ledger needs metadata level ${LEDGER_LEVEL}, and the cluster is at ${image.level}: raise it by kvorum cluster upgrade`;
    return refuse('INVALID_ARGUMENT', message, 'UNSUPPORTED_VERSION');
  }
  const records: MetadataRecord[] = [];
  /** As this request leaves them: it may say two things of one partition. */
  const ledger = new Map<string, readonly PartitionLoss[]>();
  const losses = request.losses.map((loss, index): ReportedLoss => {
    const { topicId, partition } = loss;
    const error =
      index >= MAX_LOSSES_PER_REQUEST
        ? itemError('OPERATION_NOT_ATTEMPTED', `one call reports ${MAX_LOSSES_PER_REQUEST} losses at most`)
        : check(image, request.brokerId, loss);
    if (error !== undefined) return { topicId, partition, error };
    const { topicId: _topic, partition: _partition, ...said } = loss;
    const report = { ...said, reason: '' };
    const key = partitionKeyOf(loss);
    const before = ledger.get(key) ?? lossesOf(image, topicId, partition);
    const after = withReport(before, report, { offset: image.endOffset + records.length, timestampMs: -1 });
    if (after !== before) {
      ledger.set(key, after);
      records.push(metadataRecord({ $case: 'replicaLoss', replicaLoss: { topicId, partition, ...report } }));
    }
    return { topicId, partition, error: undefined };
  });
  return { records, respond: () => ({ losses }) };
}

/** Why the report is not for the ledger. */
function check(image: MetadataImage, senderId: number, loss: ReplicaLossRecord): ItemError | undefined {
  const { topicId, partition, brokerId, leaderEpoch } = loss;
  const topic = image.topics.get(topicId);
  if (topic === undefined) return itemError('UNKNOWN_TOPIC_ID', `there is no topic with id '${topicId}'`);
  const state = partitionOf(image, topicId, partition);
  const what = `${topic.name}-${partition}`;
  if (state === undefined) {
    return itemError('UNKNOWN_TOPIC_OR_PARTITION', `topic '${topic.name}' has no partition ${partition}`);
  }
  if (brokerId !== senderId) {
    return itemError('INVALID_REQUEST', `broker_id is ${brokerId}, and broker ${senderId} speaks for itself alone`);
  }
  if (leaderEpoch > state.leaderEpoch) {
    // As for an ISR (C-6): another controller has gone on, or the sender has read what was not committed.
    const message = `leader_epoch ${leaderEpoch} of ${what} is newer than ${state.leaderEpoch}, the newest known here`;
    return itemError('NOT_CONTROLLER', message);
  }
  if (!isOrWasReplica(image, state, loss)) {
    return itemError('INVALID_REQUEST', `broker ${brokerId} has no replica of ${what}`);
  }
  return checkRange(loss);
}

function checkRange({
  kind,
  leaderEpoch,
  fromOffset,
  toOffset,
  highWatermark,
}: ReplicaLossRecord): ItemError | undefined {
  const wrong = (message: string): ItemError => itemError('INVALID_REQUEST', message);
  if (!KINDS.has(kind)) return wrong(`kind is ${String(kind)}: use 1 (led), 2 (cut), 3 (hole) or 4 (short)`);
  if (leaderEpoch < 0) return wrong(`leader_epoch is ${leaderEpoch}: epochs begin at 0`);
  if (fromOffset < 0) return wrong(`from_offset is ${fromOffset}: offsets begin at 0`);
  if (toOffset < fromOffset) return wrong(`to_offset ${toOffset} is before from_offset ${fromOffset}`);
  if (highWatermark < -1) return wrong(`high_watermark is ${highWatermark}: -1 stands for none`);
  return undefined;
}

/** One that was taken from it meanwhile is known where the ledger waits for it, or has heard of it. */
function isOrWasReplica(image: MetadataImage, { replicas }: PartitionState, loss: ReplicaLossRecord): boolean {
  const { topicId, partition, brokerId } = loss;
  const isKnownTo = ({ awaited, replicas: told }: PartitionLoss): boolean =>
    awaited.includes(brokerId) || told.some((its) => its.brokerId === brokerId);
  return replicas.includes(brokerId) || lossesOf(image, topicId, partition).some(isKnownTo);
}
