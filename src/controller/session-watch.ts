// When sessions end (C-3.4, C-3.5): one timer, for the session that ends first. One broker per turn, each on what the one before
// left.
import type { Ms } from '../base/ids.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { MetadataImage } from '../metadata/image.ts';
import type { BrokerSessions, Expired } from './sessions.ts';
import type { Attempt } from './surprises.ts';

export interface SessionWatchDeps {
  readonly clock: Clock;
  readonly sessions: BrokerSessions;
  readonly image: () => MetadataImage;
  /** `done` undefined: at once. Not called again before it is. */
  readonly fence: (expired: Expired) => Promise<void> | undefined;
  readonly attempt: Attempt;
  readonly heartbeatMs: Ms;
  /** broker.connection.grace.ms. */
  readonly graceMs: Ms;
}

/** A broken connection ends a session after its grace: a process that is late by this part of it has perhaps not read what came. */
const LATE_PART = 0.5;

export class SessionWatch {
  readonly #deps: SessionWatchDeps;
  #timer: Timer | undefined;
  /** The timer was late when it ran last, and sessions were prolonged for that: not twice in a row. */
  #wasLate = false;
  #isFencing = false;
  #isStopped = false;

  constructor(deps: SessionWatchDeps) {
    this.#deps = deps;
  }

  /** Sets the timer by what is known now. */
  look(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#isStopped || this.#isFencing) return;
    const { clock, sessions, image } = this.#deps;
    const now = clock.now();
    const dueAt = Math.max(now, sessions.nextDeadline(image(), now));
    this.#schedule(dueAt);
  }

  #schedule(dueAt: Ms): void {
    const { clock, attempt } = this.#deps;
    this.#timer = clock.schedule(Math.max(0, dueAt - clock.now()), () => {
      const restMs = attempt('session expiry', () => this.#due(dueAt));
      if (restMs > 0 && !this.#isStopped) this.#schedule(clock.now() + restMs);
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #due(dueAt: Ms): void {
    const { clock, sessions, image, fence } = this.#deps;
    const now = clock.now();
    if (!this.#stoodStill(dueAt, now)) {
      const expired = sessions.firstExpired(image(), now);
      const done = expired === undefined ? undefined : fence(expired);
      if (done !== undefined) {
        this.#isFencing = true;
        void done.then(() => {
          this.#isFencing = false;
          this.look();
        });
        return;
      }
    }
    this.look();
  }

  /**
   * A timer this late says that the process stood still, and heartbeats and new connections wait to be read (C-3.5): they come
   * first.
   */
  #stoodStill(dueAt: Ms, now: Ms): boolean {
    const { sessions, heartbeatMs, graceMs } = this.#deps;
    const lateMs = now - dueAt;
    const missedHeartbeats = lateMs >= heartbeatMs;
    const isLate = missedHeartbeats || (graceMs > 0 && lateMs >= graceMs * LATE_PART);
    const counts = isLate && !this.#wasLate;
    this.#wasLate = isLate;
    if (counts) sessions.hold(missedHeartbeats ? now + 2 * heartbeatMs : now, now + graceMs);
    return counts;
  }
}
