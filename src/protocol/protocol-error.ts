// The error of this floor: bytes that are well-formed numbers but not a message, or a value that a version cannot carry.

/**
 * A message breaks its own schema: a null, length or count where none may be, an unknown version, or (when encoding)
 * a value in a field that the version lacks. The text names API, version and field. Input that merely ends too early
 * is a BytesError.
 */
export class ProtocolError extends Error {
  override name = 'ProtocolError';
}
