// A broken property as an error, to end a simulated run at once.
import type { Violation } from '../../check/violation.ts';

export class ViolatedError extends Error {
  override name = 'ViolatedError';
  readonly violation: Violation;

  constructor(violation: Violation, cause?: unknown) {
    super(`${violation.property}: ${violation.detail}`, cause === undefined ? undefined : { cause });
    this.violation = violation;
  }
}

/** Throws if there is one. */
export function must(violation: Violation | undefined): void {
  if (violation !== undefined) throw new ViolatedError(violation);
}
