// A bound on waiting.
import type { Ms } from '../base/ids.ts';
import type { Clock } from '../env/clock.ts';

/** What `work` resolves with, or 'timeout' after `limitMs`; the work goes on then, unheard. */
export function within<T>(clock: Clock, limitMs: Ms, work: Promise<T>): Promise<T | 'timeout'> {
  return new Promise((resolve, reject) => {
    const timer = clock.schedule(Math.max(0, limitMs), () => resolve('timeout'));
    work.then(
      (value) => {
        timer.cancel();
        resolve(value);
      },
      (error: unknown) => {
        timer.cancel();
        reject(error);
      },
    );
  });
}
