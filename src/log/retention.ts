// Which segments at the head of a log go, by Kafka's rules (UnifiedLog.deleteOldSegments): those below the log start, then
// by retention.bytes, then by retention.ms. Never one that reaches above the high watermark (D-9.2). The active segment
// goes by size or age only, and an empty one never. Pure.
import type { Offset } from '../base/ids.ts';

/** As told in logs. */
export type RetentionCause = 'log-start' | 'retention.bytes' | 'retention.ms';

export interface RetainedSegment {
  /** The offset after its last record. */
  readonly endOffset: Offset;
  /** Bytes of the log file. */
  readonly size: number;
  /** -1: none of its records has one. Undefined: not known before the segment is loaded. */
  readonly maxTimestamp: number | undefined;
}

export interface RetentionLimits {
  readonly logStartOffset: Offset;
  readonly highWatermark: Offset;
  /** -1: never. */
  readonly retentionMs: number;
  /** -1: never. */
  readonly retentionBytes: number;
  /** Wall-clock time: it is compared with what producers wrote. */
  readonly nowMs: number;
}

export interface RetentionPlan {
  /** Why each of the first segments goes. */
  readonly head: readonly RetentionCause[];
  /** The segment after these may have to go as well: its greatest timestamp must be known first. */
  readonly undecided: boolean;
}

/** `segments`: all of the log, the last one active. */
export function planRetention(segments: readonly RetainedSegment[], limits: RetentionLimits): RetentionPlan {
  const { highWatermark, retentionMs, retentionBytes } = limits;
  const head: RetentionCause[] = [];
  const next = (): RetainedSegment | undefined => segments[head.length];
  const mayGo = (segment: RetainedSegment | undefined): segment is RetainedSegment =>
    segment !== undefined && segment.size > 0 && segment.endOffset <= highWatermark;

  while (head.length < segments.length - 1 && isBelow(next(), limits.logStartOffset)) head.push('log-start');
  if (retentionBytes >= 0) {
    let excess = sizeFrom(segments, head.length) - retentionBytes;
    for (let segment = next(); mayGo(segment) && excess >= segment.size; segment = next()) {
      excess -= segment.size;
      head.push('retention.bytes');
    }
  }
  if (retentionMs < 0) return { head, undecided: false };
  for (let segment = next(); mayGo(segment); segment = next()) {
    if (segment.maxTimestamp === undefined) return { head, undecided: true };
    // Without any timestamp there is no age.
    if (segment.maxTimestamp < 0 || limits.nowMs - segment.maxTimestamp <= retentionMs) break;
    head.push('retention.ms');
  }
  return { head, undecided: false };
}

function isBelow(segment: RetainedSegment | undefined, logStartOffset: Offset): boolean {
  return segment !== undefined && segment.endOffset <= logStartOffset;
}

function sizeFrom(segments: readonly RetainedSegment[], from: number): number {
  let size = 0;
  for (let i = from; i < segments.length; i++) size += (segments[i] as RetainedSegment).size;
  return size;
}
