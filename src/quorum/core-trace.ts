// A listener at the consensus core: everything that goes in and comes out, in order. What it hears is enough to run the core
// again (the core is a function of it), and to judge the run.
import type { RaftConfig, RaftEffect, RaftEvent, RaftRandom } from '../raft/types.ts';

/** Calls are synchronous; a listener changes nothing of what it is given and calls nobody back. */
export interface CoreTrace {
  /** First, once for each opened quorum. */
  config(config: RaftConfig): void;
  /** The core drew `value` in [0, bound) under `key`, in the step of the last event. */
  draw(key: string, bound: number, value: number): void;
  /** The core is about to take this event in. */
  event(event: RaftEvent): void;
  /** What the core answered to the last event, before any of it is carried out. */
  effects(effects: readonly RaftEffect[]): void;
}

/** The draws of the core, told to the listener. */
export function tracedRandom(random: RaftRandom, trace: CoreTrace | undefined): RaftRandom {
  if (trace === undefined) return random;
  return {
    below(key, bound) {
      const value = random.below(key, bound);
      trace.draw(key, bound, value);
      return value;
    },
  };
}
