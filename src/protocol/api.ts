// One API of the Kafka protocol: its key, the versions served, the declared request and response, and their codecs.
// Codecs are compiled when a version is first used and kept.
import type { ByteReader } from '../base/bytes.ts';
import { compileDecoder } from './decode.ts';
import { compileEncoder } from './encode.ts';
import { MessageWriter } from './message-writer.ts';
import type { Decode, Encode } from './primitives.ts';
import { ProtocolError } from './protocol-error.ts';
import type { Decoded, Encodable, StructField } from './schema.ts';

/** What {@link defineApi} is told. Versions are inclusive; messages from `flexibleFrom` on are flexible (KIP-482). */
export interface ApiDeclaration<Q extends StructField, S extends StructField> {
  readonly key: number;
  /** Kafka's name of the API, such as `OffsetForLeaderEpoch`. */
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
  /** The minimum to tell clients, where it is not `minVersion`. */
  readonly advertisedMin?: number;
  readonly flexibleFrom: number;
  /** Set for ApiVersions only: its response header never has tagged fields, so that any client can read it. */
  readonly plainResponseHeader?: true;
  readonly request: Q;
  readonly response: S;
}

/**
 * Decoding throws BytesError for input that ends early and ProtocolError for input that breaks the schema; encoding
 * throws ProtocolError for values that the version cannot carry. Versions outside the range are a ProtocolError.
 * `Req` and `Res` are what decoding gives, `ReqInput` and `ResInput` what encoding takes (defaults may be left out).
 */
export interface ApiDefinition<Req, Res, ReqInput = Req, ResInput = Res> {
  readonly key: number;
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
  readonly advertisedMin: number;
  readonly flexibleFrom: number;
  readonly request: StructField;
  readonly response: StructField;
  supports(version: number): boolean;
  requestHeaderVersion(version: number): 1 | 2;
  responseHeaderVersion(version: number): 0 | 1;
  /** Record bytes are views of the reader's buffer. */
  decodeRequest(version: number, reader: ByteReader): Req;
  encodeRequest(version: number, request: ReqInput, writer: MessageWriter): void;
  decodeResponse(version: number, reader: ByteReader): Res;
  /** The body only, in wire order; record bytes are the given buffers themselves. */
  encodeResponse(version: number, response: ResInput): Buffer[];
  /** As {@link encodeResponse}, behind what the writer holds already. */
  writeResponse(version: number, response: ResInput, writer: MessageWriter): void;
}

/** Any API, when it does not matter which. */
export type AnyApi = ApiDefinition<object, object, object, object>;

export type RequestOf<A> = A extends ApiDefinition<infer Req, infer _Res, infer _In, infer _Out> ? Req : never;
export type ResponseOf<A> = A extends ApiDefinition<infer _Req, infer Res, infer _In, infer _Out> ? Res : never;
/** A request to encode: fields with a declared default may be left out. */
export type RequestInput<A> = A extends ApiDefinition<infer _Req, infer _Res, infer In, infer _Out> ? In : never;
/** A response to encode: fields with a declared default may be left out. */
export type ResponseInput<A> = A extends ApiDefinition<infer _Req, infer _Res, infer _In, infer Out> ? Out : never;

interface Codec {
  readonly decode: Decode;
  readonly encode: Encode;
}

export function defineApi<Q extends StructField, S extends StructField>(
  api: ApiDeclaration<Q, S>,
): ApiDefinition<Decoded<Q>, Decoded<S>, Encodable<Q>, Encodable<S>> {
  const supports = (version: number): boolean =>
    Number.isInteger(version) && version >= api.minVersion && version <= api.maxVersion;
  const requestCodec = codecsOf(api.request, `${api.name}Request`);
  const responseCodec = codecsOf(api.response, `${api.name}Response`);

  function codecsOf(schema: StructField, name: string): (version: number) => Codec {
    const codecs = new Map<number, Codec>();
    return (version) => {
      const known = codecs.get(version);
      if (known !== undefined) return known;
      if (!supports(version)) throw new ProtocolError(`${name} v${version} is not supported`);
      const flexible = version >= api.flexibleFrom;
      const path = `${name} v${version}`;
      const codec = {
        decode: compileDecoder(schema, version, flexible, path),
        encode: compileEncoder(schema, version, flexible, path),
      };
      codecs.set(version, codec);
      return codec;
    };
  }

  return {
    key: api.key,
    name: api.name,
    minVersion: api.minVersion,
    maxVersion: api.maxVersion,
    advertisedMin: api.advertisedMin ?? api.minVersion,
    flexibleFrom: api.flexibleFrom,
    request: api.request,
    response: api.response,
    supports,
    requestHeaderVersion: (version) => (version >= api.flexibleFrom ? 2 : 1),
    responseHeaderVersion: (version) => (version >= api.flexibleFrom && !api.plainResponseHeader ? 1 : 0),
    decodeRequest: (version, reader) => requestCodec(version).decode(reader),
    encodeRequest: (version, request, writer) => requestCodec(version).encode(writer, request),
    decodeResponse: (version, reader) => responseCodec(version).decode(reader),
    encodeResponse: (version, response) => {
      const writer = new MessageWriter();
      responseCodec(version).encode(writer, response);
      return writer.parts();
    },
    writeResponse: (version, response, writer) => responseCodec(version).encode(writer, response),
  };
}
