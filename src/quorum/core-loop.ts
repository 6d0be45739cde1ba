// The event loop around the core: events in, effects out, each carried out in order. An effect that leads to another event (apply
// -> append) adds behind those that wait. Holds no protocol rule of its own.
import type { RaftState } from '../raft/state.ts';
import { createRaft } from '../raft/state.ts';
import { step } from '../raft/step.ts';
import type { RaftConfig, RaftEffect, RaftEvent, RaftRandom } from '../raft/types.ts';
import type { CoreTrace } from './core-trace.ts';
import { tracedRandom } from './core-trace.ts';

export interface CoreLoopHooks {
  carryOut(effect: RaftEffect): void;
  /** The core threw: a bug, and its state is not to be trusted. The loop has stopped. */
  failed(error: unknown): void;
}

export class CoreLoop {
  readonly raft: RaftState;
  readonly #hooks: CoreLoopHooks;
  readonly #trace: CoreTrace | undefined;
  readonly #effects: RaftEffect[] = [];
  #draining = false;
  #stopped = false;

  constructor(config: RaftConfig, random: RaftRandom, trace: CoreTrace | undefined, hooks: CoreLoopHooks) {
    trace?.config(config);
    this.raft = createRaft(config, tracedRandom(random, trace));
    this.#trace = trace;
    this.#hooks = hooks;
  }

  /** Nothing once the loop was stopped. */
  dispatch(event: RaftEvent): void {
    if (this.#stopped) return;
    this.#step(event);
    this.#drain();
  }

  /** As {@link dispatch}; returns the first effect of this event that `pick` takes. */
  ask<E extends RaftEffect>(event: RaftEvent, pick: (effect: RaftEffect) => effect is E): E | undefined {
    if (this.#stopped) return undefined;
    const from = this.#effects.length;
    this.#step(event);
    const answer = this.#effects.slice(from).find(pick);
    this.#drain();
    return answer;
  }

  /** What is not carried out by now is not. */
  stop(): void {
    this.#stopped = true;
  }

  #step(event: RaftEvent): void {
    const from = this.#effects.length;
    this.#trace?.event(event);
    try {
      step(this.raft, event, this.#effects);
    } catch (error) {
      this.stop();
      this.#hooks.failed(error);
    }
    if (this.#trace !== undefined) this.#trace.effects(this.#effects.slice(from));
  }

  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    try {
      for (let i = 0; i < this.#effects.length && !this.#stopped; i++) {
        this.#hooks.carryOut(this.#effects[i] as RaftEffect);
      }
    } finally {
      this.#effects.length = 0;
      this.#draining = false;
    }
  }
}
