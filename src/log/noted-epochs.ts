// Leader epochs that start at the end of a log, with no record yet: noted in the directory's Store, where thousands that begin
// when a broker starts share a write, instead of one file for each. The file follows with the first records of the epoch.
import type { Epoch, Offset } from '../base/ids.ts';
import type { LogHooks } from './log-hooks.ts';
import type { LogState } from './log-state.ts';
import { checkNotClosed, hasUnsavedEpochs, isFlushed } from './log-state.ts';

/** The epoch starts at the log's end (D-0.3). Durable when it resolves, or with the next flush (D-1.4). EnvError. */
export async function startEpoch(state: LogState, leaderEpoch: Epoch, { noteLeaderEpoch }: LogHooks): Promise<void> {
  checkNotClosed(state);
  const mayBeNoted = isFlushed(state) && !hasUnsavedEpochs(state);
  const startOffset = state.logEndOffset;
  if (!state.epochs.assign(leaderEpoch, startOffset)) return;
  state.epochsChanged = true;
  if (!mayBeNoted || noteLeaderEpoch === undefined) return;
  await noteLeaderEpoch({ epoch: leaderEpoch, startOffset });
  state.notedEpoch = leaderEpoch;
}

/** Before a truncation to `offset` that cuts nothing: the epoch that starts there goes all the same (KAFKA-10706). EnvError. */
export async function forgetNoted(state: LogState, offset: Offset, { beforeTruncation }: LogHooks): Promise<void> {
  const last = state.epochs.entries.at(-1);
  if (offset >= state.logEndOffset && last !== undefined && last.startOffset >= offset) await beforeTruncation(offset);
}
