// Whole frames: an int32 size, a header, a body. Encoding includes the size, decoding starts behind it (who reads the
// socket has cut the frame already).
import { ByteReader } from '../base/bytes.ts';
import type { AnyApi, ApiDefinition } from './api.ts';
import type { RequestHeader } from './header.ts';
import { decodeRequestHeader, decodeResponseHeader, encodeRequestHeader, encodeResponseHeader } from './header.ts';
import { MessageWriter } from './message-writer.ts';
import { apiByKey } from './registry.ts';

/** A request whose header is read and whose body is not. */
export interface RequestFrame {
  readonly header: RequestHeader;
  /** The definition of the API, or undefined for a key that we do not know; the version may be one it lacks. */
  readonly api: AnyApi | undefined;
  /** Stands at the body. */
  readonly reader: ByteReader;
}

/** Reads the header of a request. Whether the version is supported is left to the caller: ApiVersions answers anyway. */
export function decodeRequestFrame(frame: Buffer): RequestFrame {
  const reader = new ByteReader(frame);
  const header = decodeRequestHeader(reader, (key, version) => apiByKey(key)?.requestHeaderVersion(version) ?? 1);
  return { header, api: apiByKey(header.apiKey), reader };
}

/** The pieces of a whole frame, size included; record bytes are the given buffers themselves. */
export function encodeRequestFrame<Req, Res, ReqInput, ResInput>(
  api: ApiDefinition<Req, Res, ReqInput, ResInput>,
  header: Omit<RequestHeader, 'apiKey'>,
  request: ReqInput,
): Buffer[] {
  const { apiVersion, correlationId, clientId } = header;
  return sized((writer) => {
    const full = { apiKey: api.key, apiVersion, correlationId, clientId };
    encodeRequestHeader(writer, full, api.requestHeaderVersion(apiVersion));
    api.encodeRequest(apiVersion, request, writer);
  });
}

/** The correlation id alone, for who must find out which request a response answers. */
export function peekCorrelationId(frame: Buffer): number {
  return new ByteReader(frame).int32();
}

export function decodeResponseFrame<Req, Res, ReqInput, ResInput>(
  api: ApiDefinition<Req, Res, ReqInput, ResInput>,
  version: number,
  frame: Buffer,
): { correlationId: number; response: Res } {
  const reader = new ByteReader(frame);
  const correlationId = decodeResponseHeader(reader, api.responseHeaderVersion(version));
  return { correlationId, response: api.decodeResponse(version, reader) };
}

/** The pieces of a whole frame, size included; record bytes are the given buffers themselves. */
export function encodeResponseFrame<Req, Res, ReqInput, ResInput>(
  api: ApiDefinition<Req, Res, ReqInput, ResInput>,
  version: number,
  correlationId: number,
  response: ResInput,
): Buffer[] {
  return sized((writer) => {
    encodeResponseHeader(writer, correlationId, api.responseHeaderVersion(version));
    api.writeResponse(version, response, writer);
  });
}

function sized(write: (writer: MessageWriter) => void): Buffer[] {
  const writer = new MessageWriter();
  writer.int32(0);
  write(writer);
  writer.buffer.writeInt32BE(writer.length - 4, 0);
  return writer.parts();
}
