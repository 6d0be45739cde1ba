// A node's monotonic clock: whole milliseconds since its process began, at the node's own speed (M-3, S-X4).
import type { Ms } from '../../base/ids.ts';
import type { Us } from './event-queue.ts';

export interface NodeClock {
  /** Local time and virtual time at the last change of speed. */
  baseMs: Ms;
  baseUs: Us;
  percent: number;
  /** The last reading: it never goes back. */
  lastMs: Ms;
}

export function newClock(startMs: Ms, now: Us, percent: number): NodeClock {
  return { baseMs: startMs, baseUs: now, percent, lastMs: startMs };
}

export function readClock(clock: NodeClock, now: Us): Ms {
  const local = clock.baseMs + Math.floor(((now - clock.baseUs) * clock.percent) / 100_000);
  if (local > clock.lastMs) clock.lastMs = local;
  return clock.lastMs;
}

/** The virtual time at which the clock will show `localMs`, not before `now`. */
export function whenShows(clock: NodeClock, localMs: Ms, now: Us): Us {
  return Math.max(now, clock.baseUs + Math.ceil(((localMs - clock.baseMs) * 100_000) / clock.percent));
}

export function setSpeed(clock: NodeClock, now: Us, percent: number): void {
  clock.baseMs = readClock(clock, now);
  clock.baseUs = now;
  clock.percent = percent;
}
