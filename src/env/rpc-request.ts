// Requests as they came over a network: bytes that anybody may have sent.
import type { RpcMessageType } from './network.ts';
import { invalidArgument, undone } from './rpc-failures.ts';

interface Method<T> {
  readonly name: string;
  readonly requestType: RpcMessageType<T>;
}

/** Decodes a request. RpcError INVALID_ARGUMENT, which says what is wrong with the bytes as far as decoding tells. */
export function readRequest<T>(method: Method<T>, bytes: Buffer): T {
  try {
    return method.requestType.decode(bytes);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    const cannot = `the request of ${method.name} cannot be read`;
    if (!/MAX_SAFE_INTEGER|MIN_SAFE_INTEGER/.test(cause)) {
      throw undone('INVALID_ARGUMENT', 'INVALID_MESSAGE', `${cannot}: its bytes are no such message (${cause})`);
    }
    const field = numberOutOfRange(method.requestType, bytes);
    const message = `${cannot}: ${field ?? 'a 64-bit number'} is beyond 2^53 - 1, or below -(2^53 - 1)`;
    throw invalidArgument(field ?? 'NUMBER', message);
  }
}

const VARINT = 0;
const DELIMITED = 2;

/** A field as protobuf writes it. */
interface Field {
  readonly number: number;
  readonly varint?: bigint;
  readonly bytes?: Buffer;
}

/** The name of the first field whose number is too large for us, `command.sequence` where it lies deeper. */
function numberOutOfRange<T>(type: RpcMessageType<T>, bytes: Buffer): string | undefined {
  for (const path of suspects(bytes, [])) {
    // Generated code tells no names: a message with 1 in that field alone does. Text that looks like a field has none.
    let probe = Buffer.from([1]);
    for (const [depth, number] of path.toReversed().entries()) {
      const size = depth === 0 ? [] : [...varint(probe.length)];
      probe = Buffer.from([...varint((number << 3) | (depth === 0 ? VARINT : DELIMITED)), ...size, ...probe]);
    }
    const name = pathToOne(decoded(type, probe));
    if (name !== undefined) return name.join('.');
  }
  return undefined;
}

function* suspects(bytes: Buffer, above: readonly number[]): Generator<readonly number[]> {
  for (const { number, varint: value, bytes: inner } of fieldsOf(bytes)) {
    const path = [...above, number];
    if (value !== undefined && !Number.isSafeInteger(Number(BigInt.asIntN(64, value)))) yield path;
    if (inner !== undefined && path.length < 8) yield* suspects(inner, path);
  }
}

/** Its fields, as far as the bytes are a message of varints and what has a length. */
function* fieldsOf(bytes: Buffer): Generator<Field> {
  let at = 0;
  const next = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 63n) throw new RangeError('no varint');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  try {
    while (at < bytes.length) {
      const tag = Number(next());
      const number = tag >>> 3;
      if ((tag & 7) === VARINT) yield { number, varint: next() };
      else if ((tag & 7) === DELIMITED) {
        const size = Number(next());
        yield { number, bytes: bytes.subarray(at, at + size) };
        at += size;
      } else return;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
}

function* varint(value: number): Generator<number> {
  for (; value >= 0x80; value >>>= 7) yield (value & 0x7f) | 0x80;
  yield value;
}

function decoded<T>(type: RpcMessageType<T>, bytes: Buffer): unknown {
  try {
    return type.decode(bytes);
  } catch {
    return undefined; // text that looked like a field
  }
}

/** The names on the way to the only 1, as the proto has them. */
function pathToOne(message: unknown): string[] | undefined {
  if (message === 1) return [];
  if (typeof message !== 'object' || message === null) return undefined;
  for (const [key, value] of Object.entries(message)) {
    const rest = pathToOne(value);
    if (rest === undefined) continue;
    return Array.isArray(message) ? rest : [key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), ...rest];
  }
  return undefined;
}
