// What the clients of a run did and saw, as they note it down, and what asks them to come to an end.
import type { Ms, Offset } from '../../base/ids.ts';
import type { ConfigAction, CountAction } from '../../check/config-operations.ts';
import type { Read, WriteOutcome } from '../../check/history.ts';
import type { TopicAction } from '../../check/topic-operations.ts';
import type { TopicCreation } from '../../check/topics.ts';
import { KeptTopics } from './kept-notes.ts';

/** A call of a registrar and what became of it. */
export interface Call<Action> {
  readonly object: string;
  invokedAtMs: Ms;
  answeredAtMs: Ms;
  /** What it may have done, or was told; undefined where it surely did nothing and learned nothing. */
  action: Action | undefined;
}

/** Calls of registrars, by what they are about. */
export interface AdminCalls {
  readonly topics: Call<TopicAction>[];
  readonly configs: Call<ConfigAction>[];
  readonly counts: Call<CountAction>[];
}

/** A write under way or over. */
export interface PendingWrite {
  readonly text: string;
  readonly producer: string;
  readonly order: number;
  readonly topic: string;
  readonly partition: number;
  readonly invokedAtMs: Ms;
  /** `unknown` until it is answered. */
  outcome: WriteOutcome;
  offset: Offset;
  /** When the outcome was known. */
  answeredAtMs?: Ms;
}

/** A change of the voters that the operator asked for. `unknown`: there was no answer. */
export interface VoterCall {
  readonly type: 'add' | 'remove';
  readonly outcome: 'done' | 'refused' | 'unknown';
  readonly reason: string;
}

/** What clients did and saw. */
export interface ClientLog {
  readonly writes: PendingWrite[];
  readonly reads: Read[];
  readonly creations: TopicCreation[];
  readonly adminCalls: AdminCalls;
  readonly voterCalls: VoterCall[];
  undecided: number;
  /** What a consumer was told when the log had lost what it read. */
  readonly truncations: string[];
  /** Topics that were created, with their partitions. */
  readonly topics: Map<string, number>;
  /** Topics that are written to too, and may be deleted and made again: nobody knows into which of them a record came. */
  readonly fleeting: Map<string, number>;
  readonly kept: KeptTopics;
}

/** Asks the clients to come to an end. */
export interface Stop {
  producing: boolean;
  consuming: boolean;
}

export function newClientLog(): ClientLog {
  return {
    writes: [],
    reads: [],
    creations: [],
    adminCalls: { topics: [], configs: [], counts: [] },
    voterCalls: [],
    undecided: 0,
    truncations: [],
    topics: new Map(),
    fleeting: new Map(),
    kept: new KeptTopics(),
  };
}
