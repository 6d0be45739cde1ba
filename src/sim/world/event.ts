// What the event queue holds. An event runs at its virtual time in the context of one incarnation of a process, or of
// the world itself (kernels, cables, the harness), and is skipped when that incarnation is dead by then.
import type { Incarnation } from './incarnation.ts';

/** Kinds of events, by what causes them. Their numbers go into the event hash. */
export const EVENT_KINDS = {
  harness: 1,
  start: 2,
  timer: 3,
  disk: 4,
  store: 5,
  'stream-open': 6,
  'stream-segment': 7,
  'stream-local': 8,
  'rpc-request': 9,
  'rpc-response': 10,
  listener: 11,
} as const;

export type EventKind = keyof typeof EVENT_KINDS;

export interface SimEvent {
  /** Virtual time in whole microseconds. */
  timeUs: number;
  /** Breaks ties: events of one instant run in the order in which they were scheduled. */
  order: number;
  readonly kind: EventKind;
  /** Whose code it runs; undefined for the world's own. */
  readonly target: Incarnation | undefined;
  /** A number that tells one event from another of its kind in the hash: a length, a port, a process id. */
  readonly detail: number;
  readonly run: () => void;
  cancelled: boolean;
}
