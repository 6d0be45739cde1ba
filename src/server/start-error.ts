// Why a node did not start, for an operator: one sentence that names the cause and the way out.

export class StartError extends Error {
  override name = 'StartError';

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
  }
}
