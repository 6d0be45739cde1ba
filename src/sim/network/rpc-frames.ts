// What a simulated stream of answers puts on its byte stream: one request one way, messages and how it ended the other way.
// Frames as FrameSplitter reads them: int32 size, then a kind and its bytes.
import { assert } from '../../base/assert.ts';
import { ByteReader, ByteWriter } from '../../base/bytes.ts';
import type { FailureDetail, RpcStatus } from '../../env/network.ts';
import { RpcError } from '../../env/network.ts';

export const MAX_FRAME_BYTES = 64 * 1024 * 1024;

const REQUEST = 0;
const MESSAGE = 1;
const END = 2;
const FAILURE = 3;

interface CallHeader {
  readonly service: string;
  readonly method: string;
  /** Null for no deadline. */
  readonly timeoutMs: number | null;
}

interface Failure {
  readonly status: RpcStatus;
  readonly message: string;
  readonly detail?: FailureDetail;
}

export type RpcFrame =
  | { readonly type: 'request'; readonly header: CallHeader; readonly bytes: Buffer }
  | { readonly type: 'message'; readonly bytes: Buffer }
  | { readonly type: 'end' }
  | { readonly type: 'failure'; readonly error: RpcError };

export function requestFrame(header: CallHeader, request: Uint8Array): Buffer {
  return frame(REQUEST, (writer) => {
    const text = Buffer.from(JSON.stringify(header));
    writer.uvarint(text.length);
    writer.bytes(text);
    writer.bytes(request);
  });
}

export function messageFrame(message: Uint8Array): Buffer {
  return frame(MESSAGE, (writer) => writer.bytes(message));
}

export function endFrame(failure: RpcError | undefined): Buffer {
  if (failure === undefined) return frame(END, () => undefined);
  const { status, message, detail } = failure;
  return frame(FAILURE, (writer) => writer.utf8(JSON.stringify({ status, message, detail })));
}

/** What the caller hears of an error that a handler threw: nothing about the transport of the handler's own calls. */
export function asAnswered({ status, message, detail }: RpcError): RpcError {
  return new RpcError(status, message, undefined, detail);
}

/** The frame without its size. */
export function readFrame(bytes: Buffer): RpcFrame {
  const reader = new ByteReader(bytes);
  const kind = reader.uint8();
  if (kind === MESSAGE) return { type: 'message', bytes: reader.bytes(reader.remaining) };
  if (kind === END) return { type: 'end' };
  if (kind === REQUEST) {
    const header = JSON.parse(reader.utf8(reader.uvarint())) as CallHeader;
    return { type: 'request', header, bytes: reader.bytes(reader.remaining) };
  }
  assert(kind === FAILURE, `a simulated call has no frame of kind ${kind}`);
  const said = JSON.parse(reader.utf8(reader.remaining)) as Failure;
  return { type: 'failure', error: new RpcError(said.status, said.message, undefined, said.detail) };
}

function frame(kind: number, body: (writer: ByteWriter) => void): Buffer {
  const writer = new ByteWriter();
  writer.int32(0);
  writer.uint8(kind);
  body(writer);
  const bytes = writer.finish();
  bytes.writeInt32BE(bytes.length - 4, 0);
  return bytes;
}
