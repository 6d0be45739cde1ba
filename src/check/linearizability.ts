// Whether a history of concurrent operations has an order that keeps real time and that the model allows: Wing and Gong's
// search with Lowe's memory of what was tried (the algorithm of Porcupine), for one object at a time.
import { assert } from '../base/assert.ts';
import type { Ms } from '../base/ids.ts';

/** One operation. Without an answer it may have happened at any time since, or never: then `answeredAtMs` is Infinity. */
export interface Operation<Action> {
  readonly invokedAtMs: Ms;
  readonly answeredAtMs: Ms;
  readonly action: Action;
}

export interface Model<Action> {
  readonly initial: string;
  /** The state after the action on `state`, undefined where its answer is impossible there. */
  step(state: string, action: Action, index: number): string | undefined;
}

/** `undecided`: the search took too long. */
export type Linearizable = 'yes' | 'no' | 'undecided';

/** A call or an answer, in the list of those that are not linearized yet. */
interface Entry {
  readonly operation: number;
  readonly isCall: boolean;
  readonly atMs: Ms;
  /** The answer of a call; undefined for an answer, and for a call that has none. */
  answer: Entry | undefined;
  previous: Entry | undefined;
  next: Entry | undefined;
}

export function isLinearizable<Action>(
  operations: readonly Operation<Action>[],
  model: Model<Action>,
  maxSteps = 1_000_000,
): Linearizable {
  const head = entryList(operations);
  const tried = new Set<string>();
  const done = new Uint32Array(Math.ceil(operations.length / 32));
  const path: { readonly call: Entry; readonly state: string }[] = [];
  let state = model.initial;
  let answersLeft = operations.filter(({ answeredAtMs }) => answeredAtMs < Number.POSITIVE_INFINITY).length;
  let entry = head.next;
  for (let steps = 0; answersLeft > 0; steps++) {
    if (steps > maxSteps) return 'undecided';
    assert(entry !== undefined, 'an answer that is not linearized is in the list');
    const operation = operations[entry.operation] as Operation<Action>;
    const next = entry.isCall ? model.step(state, operation.action, entry.operation) : undefined;
    if (next !== undefined && isNew(tried, done, entry.operation, next)) {
      path.push({ call: entry, state });
      flip(done, entry.operation);
      state = next;
      if (entry.answer !== undefined) answersLeft--;
      lift(entry);
      entry = head.next;
    } else if (entry.isCall) {
      entry = entry.next;
    } else {
      // Everything that could come before this answer was tried.
      const last = path.pop();
      if (last === undefined) return 'no';
      flip(done, last.call.operation);
      state = last.state;
      if (last.call.answer !== undefined) answersLeft++;
      unlift(last.call);
      entry = last.call.next;
    }
  }
  return 'yes';
}

/** The list of calls and answers in order of time, behind a head that is neither. Calls come first: ties are concurrent. */
function entryList<Action>(operations: readonly Operation<Action>[]): Entry {
  const entries: Entry[] = [];
  const make = (operation: number, isCall: boolean, atMs: Ms): Entry => {
    return { operation, isCall, atMs, answer: undefined, previous: undefined, next: undefined };
  };
  for (const [index, { invokedAtMs, answeredAtMs }] of operations.entries()) {
    assert(invokedAtMs <= answeredAtMs, 'an answer comes after its call');
    const call = make(index, true, invokedAtMs);
    entries.push(call);
    if (answeredAtMs === Number.POSITIVE_INFINITY) continue;
    call.answer = make(index, false, answeredAtMs);
    entries.push(call.answer);
  }
  entries.sort((a, b) => a.atMs - b.atMs || Number(b.isCall) - Number(a.isCall));
  const head = make(-1, false, Number.NEGATIVE_INFINITY);
  let last = head;
  for (const entry of entries) {
    last.next = entry;
    entry.previous = last;
    last = entry;
  }
  return head;
}

/** Whether `operation` on top of what is done, leading to `state`, was not tried yet. */
function isNew(tried: Set<string>, done: Uint32Array, operation: number, state: string): boolean {
  flip(done, operation);
  const key = `${done.join()} ${state}`;
  flip(done, operation);
  if (tried.has(key)) return false;
  tried.add(key);
  return true;
}

function flip(done: Uint32Array, index: number): void {
  done[index >>> 5] = (done[index >>> 5] as number) ^ (1 << (index & 31));
}

/** Takes a call and its answer out of the list. */
function lift(call: Entry): void {
  unlink(call);
  if (call.answer !== undefined) unlink(call.answer);
}

/** Puts them back, in reverse. */
function unlift(call: Entry): void {
  if (call.answer !== undefined) relink(call.answer);
  relink(call);
}

function unlink({ previous, next }: Entry): void {
  if (previous !== undefined) previous.next = next;
  if (next !== undefined) next.previous = previous;
}

function relink(entry: Entry): void {
  if (entry.previous !== undefined) entry.previous.next = entry;
  if (entry.next !== undefined) entry.next.previous = entry;
}
