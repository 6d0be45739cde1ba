// The one place where errors of the operating system become EnvError codes.
import type { EnvErrorCode } from '../env/error.ts';
import { EnvError } from '../env/error.ts';

const CODES: ReadonlyMap<string, EnvErrorCode> = new Map<string, EnvErrorCode>([
  ['ENOENT', 'NOT_FOUND'],
  ['ENOTDIR', 'NOT_FOUND'],
  ['EEXIST', 'EXISTS'],
  ['ENOTEMPTY', 'EXISTS'],
  ['ENOSPC', 'NO_SPACE'],
  ['EDQUOT', 'NO_SPACE'],
  ['EACCES', 'PERMISSION'],
  ['EPERM', 'PERMISSION'],
  ['EROFS', 'PERMISSION'],
  ['EADDRINUSE', 'ADDRESS_IN_USE'],
  ['EADDRNOTAVAIL', 'ADDRESS_UNAVAILABLE'],
  ['ENOTFOUND', 'ADDRESS_UNAVAILABLE'],
  ['EAI_AGAIN', 'ADDRESS_UNAVAILABLE'],
  ['EHOSTUNREACH', 'ADDRESS_UNAVAILABLE'],
  ['ENETUNREACH', 'ADDRESS_UNAVAILABLE'],
  ['ECONNREFUSED', 'REFUSED'],
  ['ECONNRESET', 'RESET'],
  ['ECONNABORTED', 'RESET'],
  ['EPIPE', 'RESET'],
  ['ETIMEDOUT', 'TIMED_OUT'],
]);

/** The `code` of an error of Node or of a library, '' where it has none. */
export function systemCodeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

/** `error` as an EnvError whose message says what was tried; IO where no closer code is known. */
export function toEnvError(error: unknown, attempt: string): EnvError {
  if (error instanceof EnvError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new EnvError(CODES.get(systemCodeOf(error)) ?? 'IO', `${attempt}: ${reason}`, error);
}
