// The typed detail of a failed call as every gRPC tool reads it: a google.rpc.Status in the trailer `grpc-status-details-bin`, with
// one kvorum.v1.CallFailure. https://grpc.io/docs/guides/error/ and google/rpc/status.proto, of which this writes three fields.
import { Metadata } from '@grpc/grpc-js';
import { ByteReader, ByteWriter } from '../base/bytes.ts';
import type { FailureDetail, RpcError } from '../env/network.ts';
import { CallFailure } from '../gen/kvorum/v1/admin.ts';
import { codeOf } from './grpc-status.ts';

const TRAILER = 'grpc-status-details-bin';
const TYPE_URL = 'type.googleapis.com/kvorum.v1.CallFailure';

/** Field numbers of google.rpc.Status and google.protobuf.Any; their wire types: 0 is a varint, 2 has a length. */
const STATUS = { code: 1, message: 2, details: 3 };
const ANY = { typeUrl: 1, value: 2 };
const VARINT = 0;
const DELIMITED = 2;

/** Adds the error's detail, if it has one, to the trailers. */
export function addDetail(metadata: Metadata, { status, message, detail }: RpcError): Metadata {
  if (detail === undefined) return metadata;
  const any = new ByteWriter();
  field(any, ANY.typeUrl, Buffer.from(TYPE_URL));
  field(any, ANY.value, CallFailure.encode(detail).finish());
  const bytes = new ByteWriter();
  bytes.uvarint((STATUS.code << 3) | VARINT);
  bytes.uvarint(codeOf(status));
  field(bytes, STATUS.message, Buffer.from(message));
  field(bytes, STATUS.details, any.finish());
  metadata.set(TRAILER, bytes.finish());
  return metadata;
}

/** Trailers of an answer that failed. */
export function failureTrailers(error: RpcError): Metadata {
  return addDetail(new Metadata(), error);
}

/** What the trailers say in our own words; undefined if they do not, or in a way that cannot be read. */
export function detailIn(metadata: Metadata): FailureDetail | undefined {
  const [bytes] = metadata.get(TRAILER);
  if (!Buffer.isBuffer(bytes)) return undefined;
  try {
    for (const any of fields(bytes, STATUS.details)) {
      if (fields(any, ANY.typeUrl)[0]?.toString() !== TYPE_URL) continue;
      const { reason, mayTakeEffect, controllerId } = CallFailure.decode(fields(any, ANY.value)[0] ?? new Uint8Array());
      return { reason, mayTakeEffect, controllerId };
    }
  } catch {
    // Another server's trailer, or a broken one: the status stands for itself.
  }
  return undefined;
}

function field(writer: ByteWriter, number: number, bytes: Uint8Array): void {
  writer.uvarint((number << 3) | DELIMITED);
  writer.uvarint(bytes.length);
  writer.bytes(bytes);
}

/** The values of a delimited field of a message that has no other wire types than those above. */
function fields(message: Buffer, wanted: number): Buffer[] {
  const reader = new ByteReader(message);
  const found: Buffer[] = [];
  while (reader.remaining > 0) {
    const tag = reader.uvarint();
    if ((tag & 7) === VARINT) reader.uvarint();
    else if ((tag & 7) === DELIMITED) {
      const bytes = reader.bytes(reader.uvarint());
      if (tag >> 3 === wanted) found.push(bytes);
    } else return found;
  }
  return found;
}
