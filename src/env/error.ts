// Failures of the world, thrown only by adapters of the ports. Outcomes of our own protocols are values, bugs are assertions.

/** Why the world refused. Closed: callers switch on it, never on message text. */
export type EnvErrorCode =
  | 'NOT_FOUND'
  | 'EXISTS'
  | 'NO_SPACE'
  | 'IO'
  | 'PERMISSION'
  | 'LOCKED'
  | 'CORRUPT'
  /** Written by a newer release. */
  | 'NEWER_FORMAT'
  | 'ADDRESS_IN_USE'
  | 'ADDRESS_UNAVAILABLE'
  | 'REFUSED'
  | 'RESET'
  | 'TIMED_OUT'
  | 'CLOSED';

export class EnvError extends Error {
  override name = 'EnvError';
  readonly code: EnvErrorCode;

  constructor(code: EnvErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** Whether `error` is an EnvError with that code. */
export function isEnvError(error: unknown, code?: EnvErrorCode): error is EnvError {
  return error instanceof EnvError && (code === undefined || error.code === code);
}
