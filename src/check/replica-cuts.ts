// What replicas cut from their logs against what the loss ledger says that they cut: S-D8 (c). A report comes first, then the cut
// (write-ahead), so what was cut is always within the ledger; once nothing is awaited any more the two are the same.
import type { Epoch, NodeId, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { Violation } from './violation.ts';
import { firstViolation, violation } from './violation.ts';

interface Range {
  readonly topicId: Uuid;
  readonly partition: number;
  readonly brokerId: NodeId;
  /** In which the replica leads or follows. */
  readonly leaderEpoch: Epoch;
  /** [fromOffset, toOffset). */
  readonly fromOffset: Offset;
  readonly toOffset: Offset;
  /** What the replica knew to be committed; -1: nothing. */
  readonly highWatermark: Offset;
}

/** A living replica removed the end of its log. */
export type ReplicaCut = Range;

/** A ReplicaLossRecord of the metadata log. */
export interface LossReport extends Range {
  /** LossKind: 1 led, 2 cut, 3 hole, 4 short. */
  readonly kind: number;
}

const LED = 1;
const SHORT = 4;

/** S-D8 (c): who cuts what it knew to be committed has said so before. */
export function checkAnnounced(cut: ReplicaCut, reports: readonly LossReport[]): Violation | undefined {
  if (cut.highWatermark <= cut.fromOffset || isAnnounced(cut, reports)) return undefined;
  return violation(
    'S-D8',
    `${show(cut)}, below its high watermark ${cut.highWatermark}, and the ledger does not say so`,
  );
}

/** S-D8, at the end: what replicas said that they cut, and nothing awaits any more, is what they cut. `crashed`: who may have lost it otherwise. */
export function checkCarriedOut(
  cuts: readonly ReplicaCut[],
  reports: readonly LossReport[],
  crashed: (report: LossReport, index: number) => boolean,
): Violation | undefined {
  return firstViolation(reports.entries(), ([index, report]) => {
    if (report.kind === LED || report.kind === SHORT || report.fromOffset >= report.toOffset) return undefined;
    if (crashed(report, index) || cuts.some((cut) => isWithin(report, cut))) return undefined;
    return violation('S-D8', `the ledger says that ${show(report)}, and it did not`);
  });
}

function isAnnounced(cut: ReplicaCut, reports: readonly LossReport[]): boolean {
  return reports.some((report) => report.kind !== LED && isWithin(cut, report));
}

/** Whether `inner` is a part of `outer`, of the same replica. */
function isWithin(inner: Range, outer: Range): boolean {
  return (
    inner.topicId === outer.topicId &&
    inner.partition === outer.partition &&
    inner.brokerId === outer.brokerId &&
    inner.leaderEpoch === outer.leaderEpoch &&
    inner.fromOffset >= outer.fromOffset &&
    inner.toOffset <= outer.toOffset
  );
}

function show({ brokerId, fromOffset, toOffset, partition, topicId, leaderEpoch }: Range): string {
  return `broker ${brokerId} cut ${fromOffset} to ${toOffset - 1} of partition ${partition} of ${topicId} in epoch ${leaderEpoch}`;
}
