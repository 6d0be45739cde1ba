// Retention carried out on one log (D-9.2): what retention.ts decides, with what is known without a file where that is
// enough. If all of a log has expired, a new segment is begun first.
import type { Offset } from '../base/ids.ts';
import { deletes } from '../config/topic-config.ts';
import { rollNow } from './append.ts';
import type { RemovedHead } from './log-start.ts';
import { moveLogStart } from './log-start.ts';
import type { LogState } from './log-state.ts';
import { checkNotClosed, segmentEndOffset } from './log-state.ts';
import type { RetainedSegment, RetentionCause, RetentionLimits, RetentionPlan } from './retention.ts';
import { planRetention } from './retention.ts';
import type { Segment } from './segment.ts';
import { warmLog } from './warm.ts';

/** What the log's config does not say. */
export type LogLimits = Pick<RetentionLimits, 'highWatermark' | 'nowMs'>;

/** Neighbouring segments that went for the same reason. */
export interface RemovedSegments extends RemovedHead {
  readonly cause: RetentionCause;
}

/** Whether {@link retainLog} would find something to do, or would have to look closer. */
export function exceedsLimits(state: LogState, limits: LogLimits): boolean {
  if (state.closed || state.syncFailure !== undefined) return false;
  const plan = planOf(state, limits);
  return plan.undecided || plan.head.length > 0;
}

/** Removes what may go. Nothing else may take bytes away meanwhile; appends go on. EnvError; the log is fenced then. */
export async function retainLog(
  state: LogState,
  limits: LogLimits,
  noteLogStart: (offset: Offset) => Promise<void>,
): Promise<RemovedSegments[]> {
  checkNotClosed(state);
  let plan = planOf(state, limits);
  for (let next = -1; plan.undecided && plan.head.length > next; ) {
    next = plan.head.length;
    await (state.segments[next] as Segment).load(segmentEndOffset(state, next));
    plan = planOf(state, limits);
  }
  if (plan.head.length === state.segments.length) {
    await warmLog(state);
    // Appends went on meanwhile.
    plan = planOf(state, limits);
  }
  const count = plan.head.length;
  if (count === 0) return [];
  const endOffset = segmentEndOffset(state, count - 1);
  const removed = summary(state, plan);
  if (count === state.segments.length) rollNow(state);
  await moveLogStart(state, Math.max(endOffset, state.logStartOffset), noteLogStart);
  for (const segments of removed) tell(state, segments);
  return removed;
}

/** D-9.1: the log starts at `offset` or further on, and what lies wholly below goes. As {@link moveLogStart}. */
export async function advanceLogStart(
  state: LogState,
  offset: Offset,
  noteLogStart: (offset: Offset) => Promise<void>,
): Promise<void> {
  const previous = state.logStartOffset;
  const removed = await moveLogStart(state, offset, noteLogStart);
  const { deps, directory, logStartOffset } = state;
  if (logStartOffset > previous) deps.logger.info('log-start-advanced', { directory, previous, logStartOffset });
  if (removed !== undefined) tell(state, { cause: 'log-start', ...removed });
}

function tell({ deps, directory, logStartOffset }: LogState, { count, ...removed }: RemovedSegments): void {
  deps.logger.info('segments-deleted', { directory, ...removed, segments: count, logStartOffset });
}

function planOf(state: LogState, limits: LogLimits): RetentionPlan {
  const { config, logStartOffset } = state;
  const isDeleted = deletes(config);
  return planRetention(
    state.segments.map((segment, i): RetainedSegment => {
      const { size, max } = segment;
      return { endOffset: segmentEndOffset(state, i), size, maxTimestamp: max?.timestamp };
    }),
    {
      ...limits,
      logStartOffset,
      retentionMs: isDeleted ? config.retentionMs : -1,
      retentionBytes: isDeleted ? config.retentionBytes : -1,
    },
  );
}

function summary(state: LogState, { head }: RetentionPlan): RemovedSegments[] {
  const removed: RemovedSegments[] = [];
  for (const [i, cause] of head.entries()) {
    const { baseOffset, size } = state.segments[i] as Segment;
    const endOffset = segmentEndOffset(state, i);
    const last = removed.at(-1);
    if (last?.cause === cause) {
      removed[removed.length - 1] = { ...last, count: last.count + 1, bytes: last.bytes + size, endOffset };
    } else removed.push({ cause, count: 1, bytes: size, startOffset: baseOffset, endOffset });
  }
  return removed;
}
