// The Network port: byte streams (Kafka's protocol) and RPC (gRPC), unary and with a stream of answers. Weaknesses (safety.md
// M-1): anything may be lost, late or duplicated by retries; what belongs to one stream arrives in order or the stream fails;
// an RPC answers at most once, and a failed call may have been carried out unless its error is REFUSED.
import type { Ms, NodeId } from '../base/ids.ts';
import { printable } from '../base/printable.ts';
import type { EnvError } from './error.ts';

/** `host:port` of a listener or a peer. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Listener {
  /** Where it listens; the real port where 0 was asked for. */
  readonly address: Address;
  /** Takes no new connections and closes those it has. */
  close(): Promise<void>;
}

// ---- byte streams ----

/** The receiving side of a stream. Callbacks are never nested in `write` or `close` of the same stream. */
export interface StreamHandler {
  /** Bytes in order. The chunk is valid during the call only: copy what must be kept. */
  data(chunk: Buffer): void;
  /** Once, after the last data: with the cause if it was not an orderly end by the peer or `close` here. */
  closed(error?: EnvError): void;
  /** `bufferedBytes` went back to 0. */
  drained?(): void;
}

export interface ByteStream {
  readonly peer: Address;
  /** Queues the chunks, which must not change while any bytes are queued. After the close they are dropped. */
  write(chunks: readonly Uint8Array[]): void;
  /** Bytes queued but not yet taken by the network: back-pressure is the caller's to apply. */
  readonly bufferedBytes: number;
  /** No `data` until `resume`. */
  pause(): void;
  resume(): void;
  /** `flush`: after what is queued was sent. `abort`: at once, dropping the queue. */
  close(how: 'flush' | 'abort'): void;
}

// ---- RPC ----

/** A message class as ts-proto generates it. */
export interface RpcMessageType<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(input: Uint8Array): T;
}

/** A unary method as ts-proto's generic definitions describe it. */
export interface RpcMethod<Request, Response> {
  readonly name: string;
  readonly requestType: RpcMessageType<Request>;
  readonly responseType: RpcMessageType<Response>;
  readonly responseStream?: false;
}

/** A method that answers one request with a stream of messages. */
export interface RpcStreamMethod<Request, Response> {
  readonly name: string;
  readonly requestType: RpcMessageType<Request>;
  readonly responseType: RpcMessageType<Response>;
  readonly responseStream: true;
}

// oxlint-disable-next-line typescript/no-explicit-any -- a service is a bag of methods of different types
type AnyMethod = RpcMethod<any, any> | RpcStreamMethod<any, any>;

/** A service as ts-proto's generic definitions describe it. */
export interface RpcServiceDefinition {
  readonly fullName: string;
  readonly methods: Readonly<Record<string, AnyMethod>>;
}

/** gRPC's status codes that Kvorum uses; https://grpc.io/docs/guides/status-codes/. */
export type RpcStatus =
  | 'CANCELLED'
  | 'INVALID_ARGUMENT'
  | 'DEADLINE_EXCEEDED'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'RESOURCE_EXHAUSTED'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'UNIMPLEMENTED'
  | 'INTERNAL'
  | 'UNAVAILABLE';

/** What a program wants to know of a failed call, beside the sentence for people: kvorum.v1.CallFailure. */
export interface FailureDetail {
  /** Short and constant, e.g. NOT_CONTROLLER; of a wrong request INVALID_ and the field, e.g. `INVALID_command.client_id`. */
  readonly reason: string;
  /** Whether the call may still take effect, or has. */
  readonly mayTakeEffect: boolean;
  /** The active controller as far as known, -1 if not. */
  readonly controllerId: NodeId;
}

/** A call that failed: thrown by handlers to answer with a status, and by `call` for what the peer or the network said. */
export class RpcError extends Error {
  override name = 'RpcError';
  readonly status: RpcStatus;
  /** Set where no peer answered: `refused` means that the request was surely not carried out. */
  readonly transport: 'refused' | 'broken' | undefined;
  /** Set where whoever failed the call said more; it travels with the status. */
  readonly detail: FailureDetail | undefined;

  constructor(status: RpcStatus, message: string, transport?: 'refused' | 'broken', detail?: FailureDetail) {
    super(printable(message));
    this.status = status;
    this.transport = transport;
    this.detail = detail;
  }
}

/** What a handler knows of its call. */
export interface RpcContext {
  readonly peer: string;
  /** Milliseconds that the caller still waits, Infinity if it set no deadline. */
  readonly remainingMs: Ms;
}

export interface RpcStreamContext extends RpcContext {
  /**
   * Aborted when nobody takes messages any more: the caller cancelled, died or was cut off, its deadline passed, or the server
   * closes. A handler that waits must stop waiting then; what it still yields goes nowhere.
   */
  readonly signal: AbortSignal;
}

export type RpcHandler<Request, Response> = (request: Request, context: RpcContext) => Promise<Response>;

/** The next message is asked for when the network has room for it. The stream ends as the iterable does: well, or by RpcError. */
export type RpcStreamHandler<Request, Response> = (
  request: Request,
  context: RpcStreamContext,
) => AsyncIterable<Response>;

/** One handler per method of the definition. */
export type RpcHandlers<D extends RpcServiceDefinition> = {
  readonly [K in keyof D['methods']]: D['methods'][K] extends RpcStreamMethod<infer Request, infer Response>
    ? RpcStreamHandler<Request, Response>
    : D['methods'][K] extends RpcMethod<infer Request, infer Response>
      ? RpcHandler<Request, Response>
      : never;
};

export interface RpcService {
  readonly definition: RpcServiceDefinition;
  // oxlint-disable-next-line typescript/no-explicit-any -- see rpcService, which keeps the types together
  readonly handlers: Readonly<Record<string, RpcHandler<any, any> | RpcStreamHandler<any, any>>>;
}

/** Pairs a definition with its handlers, checked against each other by the compiler. */
export function rpcService<D extends RpcServiceDefinition>(definition: D, handlers: RpcHandlers<D>): RpcService {
  return { definition, handlers };
}

export interface RpcClient {
  /** RpcError for every failure; DEADLINE_EXCEEDED after `timeoutMs`. */
  call<Request, Response>(
    service: RpcServiceDefinition,
    method: RpcMethod<Request, Response>,
    request: Request,
    timeoutMs: Ms,
  ): Promise<Response>;
  /**
   * Calls when it is iterated first, which is once; leaving the loop cancels the call. The iteration ends where the server's did.
   * RpcError as `call`: messages that were not taken yet may be lost then. `timeoutMs` is for the whole stream and may be Infinity.
   */
  stream<Request, Response>(
    service: RpcServiceDefinition,
    method: RpcStreamMethod<Request, Response>,
    request: Request,
    timeoutMs: Ms,
  ): AsyncIterable<Response>;
  /** Fails what is under way with CANCELLED. */
  close(): void;
}

/** The answer to a GET of a probe or a browser. */
export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export interface Network {
  /** Accepts byte streams. EnvError ADDRESS_IN_USE, ADDRESS_UNAVAILABLE, PERMISSION. */
  listen(at: Address, accept: (stream: ByteStream) => StreamHandler): Promise<Listener>;
  /** Opens a byte stream. EnvError REFUSED, TIMED_OUT, RESET. */
  connect(to: Address, timeoutMs: Ms, attach: (stream: ByteStream) => StreamHandler): Promise<ByteStream>;
  /** Serves RPC, with reflection and health where the transport has them. Errors as `listen`. */
  serve(at: Address, services: readonly RpcService[]): Promise<Listener>;
  /** Answers HTTP GET requests by path; other methods get 405. Errors as `listen`. */
  serveHttp(at: Address, answer: (path: string) => HttpAnswer): Promise<Listener>;
  /** A client for one peer; connects when first used and reconnects by itself. */
  client(to: Address): RpcClient;
}
