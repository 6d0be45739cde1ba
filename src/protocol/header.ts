// Headers of requests (v1; v2 adds tagged fields) and responses (v0; v1 adds tagged fields). The client id keeps its
// int16 length in both request headers, so that a broker can read it whatever the version is.
import type { ByteReader } from '../base/bytes.ts';
import { skipTagged } from './decode.ts';
import type { MessageWriter } from './message-writer.ts';
import { lengthDecoder, noValue, variableEncoder } from './primitives.ts';

export interface RequestHeader {
  readonly apiKey: number;
  readonly apiVersion: number;
  /** The client's number for this exchange; the response carries it back. */
  readonly correlationId: number;
  readonly clientId: string | null;
}

const CLIENT_ID = 'RequestHeader.clientId';
const encodeClientId = variableEncoder('string', false, true, CLIENT_ID);
const decodeClientIdLength = lengthDecoder('string', false);

/** The header's version depends on API and version, which it begins with: hence the function. */
export function decodeRequestHeader(
  reader: ByteReader,
  headerVersion: (apiKey: number, apiVersion: number) => 1 | 2,
): RequestHeader {
  const apiKey = reader.int16();
  const apiVersion = reader.int16();
  const correlationId = reader.int32();
  const length = decodeClientIdLength(reader);
  const clientId = length < 0 ? noValue(length, true, CLIENT_ID) : reader.utf8(length);
  if (headerVersion(apiKey, apiVersion) === 2) skipTagged(reader, 'RequestHeader');
  return { apiKey, apiVersion, correlationId, clientId };
}

export function encodeRequestHeader(writer: MessageWriter, header: RequestHeader, headerVersion: 1 | 2): void {
  writer.int16(header.apiKey);
  writer.int16(header.apiVersion);
  writer.int32(header.correlationId);
  encodeClientId(writer, header.clientId);
  if (headerVersion === 2) writer.uvarint(0);
}

/** The correlation id, which is all that a response header holds. */
export function decodeResponseHeader(reader: ByteReader, headerVersion: 0 | 1): number {
  const correlationId = reader.int32();
  if (headerVersion === 1) skipTagged(reader, 'ResponseHeader');
  return correlationId;
}

export function encodeResponseHeader(writer: MessageWriter, correlationId: number, headerVersion: 0 | 1): void {
  writer.int32(correlationId);
  if (headerVersion === 1) writer.uvarint(0);
}
