// What a log asks of whoever keeps facts about it outside its folder: its directory, in its Store.
import type { Offset } from '../base/ids.ts';
import type { EpochEntry } from './leader-epoch-cache.ts';

/** What is kept of the log outside its folder, where it is read before the log is opened. */
export interface LogHooks {
  /** Must make sure that no durable recovery point lies above the offset: the log will end there. */
  readonly beforeTruncation: (offset: Offset) => Promise<void>;
  /** The log is to start at `offset` at least, after a crash too: durable when it resolves. */
  readonly noteLogStart: (offset: Offset) => Promise<void>;
  /** The log, which is empty, may start at `offset` again, below what was noted: durable when it resolves. */
  readonly lowerLogStart: (offset: Offset) => Promise<void>;
  /** The log is compacted below `offset`: durable when it resolves. A truncation takes it back. */
  readonly noteFirstDirty: (offset: Offset) => Promise<void>;
  /**
   * A leader's epoch, which starts at the end of a log that is durable: durable when it resolves, and forgotten when the log is
   * truncated to there. Without this hook it is written to the log's folder at once.
   */
  readonly noteLeaderEpoch?: (entry: EpochEntry) => Promise<void>;
}

/** For a log that nothing outside its folder is kept of. */
export const NO_HOOKS: LogHooks = {
  beforeTruncation: () => Promise.resolve(),
  noteLogStart: () => Promise.resolve(),
  lowerLogStart: () => Promise.resolve(),
  noteFirstDirty: () => Promise.resolve(),
};
