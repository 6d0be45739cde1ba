// The consensus core as the simulator drives it. Tests put a broken driver around it to see that a checker notices.
import type { Offset } from '../../base/ids.ts';
import { describeQuorum } from '../../raft/describe.ts';
import { votersOf } from '../../raft/log.ts';
import type { RaftState } from '../../raft/state.ts';
import { createRaft, votersAsOf } from '../../raft/state.ts';
import { step } from '../../raft/step.ts';
import type { RaftConfig, RaftEffect, RaftEvent, RaftRandom, Voter } from '../../raft/types.ts';
import type { VotersOf } from './log-entry.ts';

export type StepFunction = (state: RaftState, event: RaftEvent, effects: RaftEffect[]) => void;

export interface RaftCore {
  createRaft(config: RaftConfig, random: RaftRandom): RaftState;
  readonly step: StepFunction;
  describeQuorum(state: RaftState): ReturnType<typeof describeQuorum>;
  readonly votersOf: VotersOf;
  votersAsOf(state: RaftState, offset: Offset): readonly Voter[] | undefined;
}

export const RAFT_CORE: RaftCore = { createRaft, step, describeQuorum, votersOf, votersAsOf };
