// Virtual time, the event queue, the event hash and the seed's random draws: the part of the world that everything
// simulated depends on. Order of events is (time, scheduling order), so a run is a function of its seed (S-X1).
import { assert } from '../../base/assert.ts';
import { Heap } from '../../base/heap.ts';
import { KeyedRandom } from '../../base/keyed-random.ts';
import type { EventKind, SimEvent } from './event.ts';
import { EVENT_KINDS } from './event.ts';
import type { Incarnation } from './incarnation.ts';

export class Scheduler {
  readonly random: KeyedRandom;
  /** Whose code is running, for blame. */
  current: Incarnation | undefined;
  /** Sees every event just before it runs. */
  trace: ((event: SimEvent) => void) | undefined;
  readonly #queue = new Heap<SimEvent>((a, b) => a.timeUs < b.timeUs || (a.timeUs === b.timeUs && a.order < b.order));
  readonly #report: (error: unknown, from: Incarnation | undefined) => void;
  /** What happened to paused incarnations, in order. */
  readonly #backlogs = new Map<Incarnation, SimEvent[]>();
  #nowUs = 0;
  #order = 0;
  #executed = 0;
  #hash = 0x811c9dc5;

  /** `report` takes errors that no promise chain owns (S-X2). */
  constructor(seed: number, report: (error: unknown, from: Incarnation | undefined) => void) {
    this.random = new KeyedRandom(seed);
    this.#report = report;
  }

  get nowUs(): number {
    return this.#nowUs;
  }

  /** Events executed so far. */
  get executed(): number {
    return this.#executed;
  }

  /** FNV-1a over (time, kind, target, detail) of every executed event. */
  get hash(): number {
    return this.#hash >>> 0;
  }

  /** Runs `run` after `delayUs` >= 0 (rounded up), unless `target` is dead by then; late if it is paused. */
  schedule(delayUs: number, kind: EventKind, target: Incarnation | undefined, run: () => void, detail = 0): SimEvent {
    assert(delayUs >= 0 && Number.isFinite(delayUs), () => `delay of ${delayUs} us`);
    const timeUs = this.#nowUs + Math.ceil(delayUs);
    const event: SimEvent = { timeUs, order: this.#order++, kind, target, detail, run, cancelled: false };
    this.#queue.push(event);
    return event;
  }

  /** Runs `run` now in the context of `target`: at its resume if it is paused, never if it is dead. */
  deliver(kind: EventKind, target: Incarnation, run: () => void): void {
    if (target.isDead) return;
    if (target.state === 'paused') {
      const event = { timeUs: this.#nowUs, order: this.#order++, kind, target, detail: 0, run, cancelled: false };
      this.#postpone(event, target);
      return;
    }
    const outer = this.current;
    this.current = target;
    try {
      run();
    } catch (error) {
      this.#report(error, target);
    }
    // While the promises of this event are drained, the blame stays with whose code ran last.
    if (outer !== undefined) this.current = outer;
  }

  /** Puts what a paused incarnation missed back into the queue, due now and in order. */
  requeue(target: Incarnation): void {
    const backlog = this.#backlogs.get(target) ?? [];
    this.#backlogs.delete(target);
    for (const event of backlog) {
      event.timeUs = this.#nowUs;
      event.order = this.#order++;
      this.#queue.push(event);
    }
  }

  /** The incarnation is dead: what waited for its resume never happens. */
  forget(target: Incarnation): void {
    this.#backlogs.delete(target);
  }

  /** Takes the next event that may run at `untilUs` or before. */
  next(untilUs: number): SimEvent | undefined {
    for (;;) {
      const event = this.#queue.peek();
      if (event === undefined || event.timeUs > untilUs) return undefined;
      this.#queue.pop();
      if (event.cancelled || event.target?.state === 'dead') continue;
      if (event.target?.state === 'paused') {
        this.#postpone(event, event.target);
        continue;
      }
      return event;
    }
  }

  /** Moves time to the event and runs it. Promises that it resolved run in the turn that the caller must wait for. */
  execute(event: SimEvent): void {
    this.#nowUs = event.timeUs;
    this.#executed++;
    this.#fold(event);
    this.trace?.(event);
    this.current = event.target;
    try {
      event.run();
    } catch (error) {
      this.#report(error, event.target);
    }
  }

  /** The kinds of the events that still wait to run in a life of the process on `host`. */
  *pendingAt(host: string): Generator<EventKind> {
    for (const { target, cancelled, kind } of this.#queue.values()) {
      if (target?.host === host && !target.isDead && !cancelled) yield kind;
    }
  }

  /** Nothing happens until `timeUs`. */
  advanceTo(timeUs: number): void {
    this.#nowUs = Math.max(this.#nowUs, timeUs);
  }

  /** Uniform whole number of microseconds in [from, to]. */
  between(key: string, fromUs: number, toUs: number): number {
    return fromUs + this.random.below(key, toUs - fromUs + 1);
  }

  #postpone(event: SimEvent, target: Incarnation): void {
    const backlog = this.#backlogs.get(target);
    if (backlog === undefined) this.#backlogs.set(target, [event]);
    else backlog.push(event);
  }

  #fold(event: SimEvent): void {
    const target = event.target === undefined ? 0 : event.target.processId * 4096 + event.target.number;
    let hash = this.#hash;
    hash = Math.imul(hash ^ (event.timeUs | 0), 0x01000193);
    hash = Math.imul(hash ^ Math.floor(event.timeUs / 0x1_0000_0000), 0x01000193);
    hash = Math.imul(hash ^ EVENT_KINDS[event.kind], 0x01000193);
    hash = Math.imul(hash ^ target, 0x01000193);
    this.#hash = Math.imul(hash ^ event.detail, 0x01000193);
  }
}
