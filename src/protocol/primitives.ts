// How each scalar kind looks on the wire. Fixed-size kinds are the same in every version; strings, bytes and records
// carry an int16 or int32 length (-1 is null) in old versions and a compact one (uvarint of length + 1, 0 is null) in
// flexible ones. A length beyond the input is a BytesError before anything is allocated.
import type { ByteReader } from '../base/bytes.ts';
import type { MessageWriter } from './message-writer.ts';
import { ProtocolError } from './protocol-error.ts';
import type { ScalarKind } from './schema.ts';

export type Decode = (reader: ByteReader) => unknown;
export type Encode = (writer: MessageWriter, value: unknown) => void;

/** A kind whose values all take `size` bytes. */
interface FixedKind {
  readonly size: number;
  readonly decode: Decode;
  readonly encode: Encode;
}

export type VariableKind = 'string' | 'bytes' | 'records';

export function isVariable(kind: ScalarKind): kind is VariableKind {
  return kind === 'string' || kind === 'bytes' || kind === 'records';
}

export const FIXED_KINDS: Readonly<Record<Exclude<ScalarKind, VariableKind>, FixedKind>> = {
  bool: { size: 1, decode: (r) => r.int8() !== 0, encode: (w, value) => w.int8(value ? 1 : 0) },
  int8: { size: 1, decode: (r) => r.int8(), encode: (w, value) => w.int8(value as number) },
  int16: { size: 2, decode: (r) => r.int16(), encode: (w, value) => w.int16(value as number) },
  uint16: { size: 2, decode: (r) => r.uint16(), encode: (w, value) => w.uint16(value as number) },
  int32: { size: 4, decode: (r) => r.int32(), encode: (w, value) => w.int32(value as number) },
  uint32: { size: 4, decode: (r) => r.uint32(), encode: (w, value) => w.uint32(value as number) },
  int64: { size: 8, decode: (r) => r.int64(), encode: (w, value) => w.int64(value as number) },
  wide64: { size: 8, decode: decodeWide, encode: encodeWide },
  float64: { size: 8, decode: (r) => r.float64(), encode: (w, value) => w.float64(value as number) },
  uuid: { size: 16, decode: decodeUuid, encode: encodeUuid },
};

function decodeWide(reader: ByteReader): number | bigint {
  const value = reader.bigint64();
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function encodeWide(writer: MessageWriter, value: unknown): void {
  if (typeof value === 'bigint') writer.bigint64(value);
  else writer.int64(value as number);
}

function decodeUuid(reader: ByteReader): string {
  const at = reader.skip(16);
  return reader.buffer.toString('base64url', at, at + 16);
}

function encodeUuid(writer: MessageWriter, value: unknown): void {
  const text = value as string;
  const at = writer.claim(16);
  const written = writer.buffer.write(text, at, 16, 'base64url');
  if (written !== 16 || text.length !== 22) throw new RangeError(`'${text}' is not a 16-byte base64url id`);
}

/** Reads a length or count; -1 stands for null, smaller numbers are refused by {@link noValue}. */
export type DecodeLength = (reader: ByteReader) => number;
/** Writes a length or count, -1 for null. */
export type EncodeLength = (writer: MessageWriter, length: number) => void;

const compactLength: DecodeLength = (reader) => reader.uvarint() - 1;
const int16Length: DecodeLength = (reader) => reader.int16();
const int32Length: DecodeLength = (reader) => reader.int32();
const writeCompactLength: EncodeLength = (writer, length) => writer.uvarint(length + 1);
const writeInt16Length: EncodeLength = (writer, length) => writer.int16(length);
const writeInt32Length: EncodeLength = (writer, length) => writer.int32(length);

export function lengthDecoder(kind: VariableKind | 'array', flexible: boolean): DecodeLength {
  if (flexible) return compactLength;
  return kind === 'string' ? int16Length : int32Length;
}

export function lengthEncoder(kind: VariableKind | 'array', flexible: boolean): EncodeLength {
  if (flexible) return writeCompactLength;
  return kind === 'string' ? writeInt16Length : writeInt32Length;
}

/** The fewest bytes that a length takes. */
export function lengthSize(kind: VariableKind | 'array', flexible: boolean): number {
  if (flexible) return 1;
  return kind === 'string' ? 2 : 4;
}

/** What a negative length means: null where that is allowed, else a ProtocolError naming the field. */
export function noValue(length: number, nullable: boolean, path: string): null {
  if (length !== -1) throw new ProtocolError(`${path}: ${length} is no length`);
  if (!nullable) throw new ProtocolError(`${path} must not be null`);
  return null;
}

export function variableDecoder(kind: VariableKind, flexible: boolean, nullable: boolean, path: string): Decode {
  const decodeLength = lengthDecoder(kind, flexible);
  if (kind === 'string') {
    return (reader) => {
      const length = decodeLength(reader);
      if (length < 0) return noValue(length, nullable, path);
      if (length > MAX_STRING_BYTES) throw new ProtocolError(`${path}: a string of ${length} bytes`);
      return reader.utf8(length);
    };
  }
  return (reader) => {
    const length = decodeLength(reader);
    return length < 0 ? noValue(length, nullable, path) : reader.bytes(length);
  };
}

/** Kafka's limit for strings, compact ones too. */
const MAX_STRING_BYTES = 0x7fff;

export function variableEncoder(kind: VariableKind, flexible: boolean, nullable: boolean, path: string): Encode {
  const encodeLength = lengthEncoder(kind, flexible);
  const encodeValue = { string: encodeString, bytes: encodeBytes, records: encodeRecords }[kind];
  return (writer, value) => {
    if (value !== null) return encodeValue(writer, value, encodeLength, path);
    noValue(-1, nullable, path);
    encodeLength(writer, -1);
  };
}

function encodeString(writer: MessageWriter, value: unknown, encodeLength: EncodeLength, path: string): void {
  const text = value as string;
  const length = Buffer.byteLength(text, 'utf8');
  if (length > MAX_STRING_BYTES) throw new ProtocolError(`${path}: a string of ${length} bytes`);
  encodeLength(writer, length);
  const at = writer.claim(length);
  writer.buffer.write(text, at, length, 'utf8');
}

function encodeBytes(writer: MessageWriter, value: unknown, encodeLength: EncodeLength): void {
  const content = value as Uint8Array;
  encodeLength(writer, content.length);
  writer.bytes(content);
}

function encodeRecords(writer: MessageWriter, value: unknown, encodeLength: EncodeLength): void {
  const content = value as Uint8Array | readonly Uint8Array[];
  if (content instanceof Uint8Array) {
    encodeLength(writer, content.length);
    writer.reference(content);
    return;
  }
  let length = 0;
  for (const piece of content) length += piece.length;
  encodeLength(writer, length);
  for (const piece of content) writer.reference(piece);
}
