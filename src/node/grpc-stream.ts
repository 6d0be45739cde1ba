// The serving side of a stream of answers: messages are asked of the handler while HTTP/2's flow control takes them, and the
// handler learns when nobody takes them any more.
import type { ServerWritableStream } from '@grpc/grpc-js';
import { Metadata } from '@grpc/grpc-js';
import type { RpcStreamHandler } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import { ANSWERED_TRAILER, remainingMs, requestOf } from './grpc-codec.ts';
import { addDetail } from './grpc-detail.ts';
import { codeOf, INTERNAL_FAILURE } from './grpc-status.ts';

type Call = ServerWritableStream<unknown, unknown>;

/** `closing` ends every stream with UNAVAILABLE; `bug` is told what the handler throws that is no RpcError. */
export function streamHandler(
  handler: RpcStreamHandler<unknown, unknown>,
  closing: AbortSignal,
  bug: (error: unknown, peer: string) => void,
) {
  return (call: Call): void => {
    const cancel = new AbortController();
    const peer = call.getPeer();
    let over = false;
    /** Ends the stream, once, with the failure if there is one. */
    const end = (failure?: { code: number; details: string }, error?: RpcError): void => {
      if (over) return;
      over = true;
      closing.removeEventListener('abort', close);
      if (call.cancelled) return;
      if (failure === undefined) call.end();
      else call.emit('error', { ...failure, metadata: answered(error) });
    };
    const close = (): void => {
      end({ code: codeOf('UNAVAILABLE'), details: 'the server is closing' });
      cancel.abort();
    };
    call.once('cancelled', () => {
      end();
      cancel.abort();
    });
    closing.addEventListener('abort', close);
    if (closing.aborted) close();
    const messages = (): AsyncIterable<unknown> =>
      handler(requestOf(call), { peer, remainingMs: remainingMs(call), signal: cancel.signal });
    pump(call, messages, cancel.signal).then(
      () => end(),
      (error: unknown) => {
        if (error instanceof RpcError) {
          end({ code: codeOf(error.status), details: error.message }, error);
          return;
        }
        end(INTERNAL_FAILURE);
        bug(error, peer);
      },
    );
  };
}

/** Hands the messages on, one after the other, until they end or nobody takes them. */
async function pump(call: Call, messages: () => AsyncIterable<unknown>, cancelled: AbortSignal): Promise<void> {
  for await (const message of messages()) {
    if (cancelled.aborted) return;
    if (!call.write(message)) await drained(call, cancelled);
    if (cancelled.aborted) return;
  }
}

/** Resolves when there is room again, or never will be. */
function drained(call: Call, cancelled: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      call.off('drain', done);
      cancelled.removeEventListener('abort', done);
      resolve();
    };
    call.on('drain', done);
    cancelled.addEventListener('abort', done);
    if (cancelled.aborted) done();
  });
}

function answered(error: RpcError | undefined): Metadata {
  const metadata = new Metadata();
  metadata.set(ANSWERED_TRAILER, '1');
  return error === undefined ? metadata : addDetail(metadata, error);
}
