// ISR arithmetic, pure: the maximal ISR while a change is under way (D-5.2), who may join (D-4.1) and who lags (D-4.2, D-4.3).
import type { Ms, NodeId, Offset } from '../base/ids.ts';
import type { IsrMember } from './alter-partitions.ts';

/** What a leader knows of a follower: of the last valid fetch in this leader epoch, taken as one (D-2.4, KAFKA-15221). */
export interface FollowerState {
  readonly brokerId: NodeId;
  readonly brokerEpoch: Offset;
  /** What it has, durably with log.flush.mode=sync. */
  readonly logEndOffset: Offset;
  readonly logStartOffset: Offset;
  readonly lastFetchMs: Ms;
  /** The leader's log end at that fetch. */
  readonly leaderEndOffset: Offset;
  /** When it had everything last; -Infinity: never in this epoch. */
  readonly lastCaughtUpMs: Ms;
}

/** What a fetch says. */
export type FollowerPosition = Pick<FollowerState, 'brokerId' | 'brokerEpoch' | 'logEndOffset' | 'logStartOffset'>;

/** D-2.4; `before`: undefined, or no older incarnation than `position` is of. `sinceMs`: caught up then, if nothing is known. */
export function afterFetch(
  before: FollowerState | undefined,
  position: FollowerPosition,
  leader: { readonly logEndOffset: Offset; readonly nowMs: Ms; readonly sinceMs: Ms },
): FollowerState {
  let lastCaughtUpMs = before?.lastCaughtUpMs ?? leader.sinceMs;
  if (position.logEndOffset >= leader.logEndOffset) lastCaughtUpMs = leader.nowMs;
  else if (before !== undefined && position.logEndOffset >= before.leaderEndOffset) {
    lastCaughtUpMs = Math.max(lastCaughtUpMs, before.lastFetchMs);
  }
  return { ...position, lastFetchMs: leader.nowMs, leaderEndOffset: leader.logEndOffset, lastCaughtUpMs };
}

/** A change of a partition that was asked for, and whose outcome is not known. */
export interface PendingChange {
  readonly kind: 'expand' | 'shrink' | 'recover';
  /** The whole new ISR. */
  readonly members: readonly IsrMember[];
}

/** D-5.2: all who are in the ISR, or may be by now. */
export function maximalIsr(committed: readonly NodeId[], pending: PendingChange | undefined): readonly NodeId[] {
  if (pending?.kind !== 'expand') return committed;
  const joining = pending.members.filter(({ brokerId }) => !committed.includes(brokerId));
  return [...committed, ...joining.map(({ brokerId }) => brokerId)];
}

/** D-4.1: it has everything that is committed, and everything that was there when this leader epoch began (KAFKA-7128). */
export function hasCaughtUp(
  { logEndOffset }: FollowerState,
  leader: { readonly highWatermark: Offset; readonly epochStartOffset: Offset },
): boolean {
  return logEndOffset >= leader.highWatermark && logEndOffset >= leader.epochStartOffset;
}

/** D-4.2: has everything now, or had within the last `lagMaxMs`. */
export function isInSync(
  follower: FollowerState,
  leader: { readonly logEndOffset: Offset; readonly nowMs: Ms },
  lagMaxMs: Ms,
): boolean {
  return follower.logEndOffset >= leader.logEndOffset || leader.nowMs - follower.lastCaughtUpMs <= lagMaxMs;
}
