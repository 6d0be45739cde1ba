// The one error of the codecs: the input is not what it claims to be, or holds more than the caller allows.

/** Compressed data that cannot be decoded within the caller's limit. The sender's fault, never a bug here. */
export class CodecError extends Error {
  override name = 'CodecError';

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

/** Runs a decoder of somebody else's making; whatever it throws becomes a CodecError. */
export function decoding<T>(what: string, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    if (cause instanceof CodecError) throw cause;
    throw new CodecError(`not decodable as ${what}: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
}

/** The error for output that would exceed the caller's limit. */
export function tooLarge(what: string, maxBytes: number): CodecError {
  return new CodecError(`${what} data decompresses to more than ${maxBytes} bytes`);
}
