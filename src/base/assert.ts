// Assertions that stay on in production: a broken invariant stops the node rather than letting it lie.

/** A bug in Kvorum itself. Never caught on the way up: the process ends with it in the log. */
export class AssertionError extends Error {
  override name = 'AssertionError';
}

/** Throws {@link AssertionError} unless `condition` holds. Pass a function where the message is costly to build. */
export function assert(condition: unknown, message: string | (() => string)): asserts condition {
  if (!condition) throw new AssertionError(typeof message === 'string' ? message : message());
}

/** The value, or an {@link AssertionError} naming `what` where it is null or undefined. */
export function must<T>(value: T | null | undefined, what: string): T {
  assert(value !== null && value !== undefined, `${what} is missing`);
  return value;
}

/** For the default branch of an exhaustive switch: a compile error when a case is forgotten, a throw if reached. */
export function unreachable(value: never, what = 'value'): never {
  throw new AssertionError(`unexpected ${what}: ${JSON.stringify(value)}`);
}
