// One connection to one broker: framing, pipelining, timeouts, version negotiation. Brokers answer in the order of the
// requests (kafka-protocol.md 1), so requests wait in a queue and any other order is a broken peer. A request without
// answer in time ends the connection, since nothing behind it could be answered either; then all that wait fail.
import { BytesError } from '../base/bytes.ts';
import type { Ms } from '../base/ids.ts';
import type { Clock, Timer } from '../env/clock.ts';
import { EnvError } from '../env/error.ts';
import type { Address, ByteStream, Network } from '../env/network.ts';
import type { ApiDefinition } from '../protocol/api.ts';
import type { ApiVersionsResponse } from '../protocol/apis/api-versions.ts';
import { apiVersionsApi } from '../protocol/apis/api-versions.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { decodeResponseFrame, encodeRequestFrame, peekCorrelationId } from '../protocol/frame.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import { brokerError, ClientError } from './client-error.ts';
import { FrameSplitter } from './frame-splitter.ts';

export interface ConnectionOptions {
  readonly clientId: string;
  readonly connectTimeoutMs: Ms;
  /** For requests that name no other. */
  readonly requestTimeoutMs: Ms;
  /** Larger answers end the connection. */
  readonly maxResponseBytes?: number;
}

export interface RequestOptions {
  readonly timeoutMs?: Ms;
  /** Do not go above this version although both sides could. */
  readonly maxVersion?: number;
  /** Memory for the answer, exactly that size, of which what is decoded has views; fresh memory unless given. */
  readonly allocate?: (size: number) => Buffer;
}

interface Waiting {
  readonly correlationId: number;
  readonly timer: Timer;
  readonly allocate: ((size: number) => Buffer) | undefined;
  /** Decodes and resolves; throws if the frame cannot be decoded. */
  answer(frame: Buffer): void;
  reject(error: ClientError): void;
}

const DEFAULT_MAX_RESPONSE_BYTES = 256 * 1024 * 1024;

/** How we introduce ourselves (KIP-511). */
const SOFTWARE = { clientSoftwareName: 'kvorum', clientSoftwareVersion: '1' };

export class KafkaConnection {
  readonly address: Address;
  readonly #clock: Clock;
  readonly #options: ConnectionOptions;
  readonly #splitter: FrameSplitter;
  readonly #versions = new Map<number, { readonly minVersion: number; readonly maxVersion: number }>();
  /** In the order in which they were sent. */
  readonly #waiting: Waiting[] = [];
  readonly #onClosed: () => void;
  #stream: ByteStream | undefined;
  #failure: ClientError | undefined;
  #nextCorrelationId = 1;

  private constructor(clock: Clock, address: Address, options: ConnectionOptions, onClosed: () => void) {
    this.#clock = clock;
    this.address = address;
    this.#options = options;
    // Answers come in the order of the requests: what begins now is the answer to the first that waits.
    const allocate = (size: number): Buffer => this.#waiting[0]?.allocate?.(size) ?? Buffer.allocUnsafe(size);
    this.#splitter = new FrameSplitter(options.maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES, allocate);
    this.#onClosed = onClosed;
  }

  /**
   * Connects and asks for the broker's versions. ClientError CONNECT_FAILED if that fails in any way. `onClosed` runs
   * once, when the connection has ended after it was open.
   */
  static async open(
    deps: { readonly network: Network; readonly clock: Clock },
    address: Address,
    options: ConnectionOptions,
    onClosed: () => void = () => {},
  ): Promise<KafkaConnection> {
    const connection = new KafkaConnection(deps.clock, address, options, onClosed);
    try {
      await deps.network.connect(address, options.connectTimeoutMs, (stream) => connection.#attach(stream));
      await connection.#negotiate();
      return connection;
    } catch (error) {
      if (!(error instanceof EnvError || error instanceof ClientError)) throw error;
      connection.close();
      throw new ClientError('CONNECT_FAILED', `cannot talk to ${nameOf(address)}: ${error.message}`, {
        cause: error,
        retriable: true,
      });
    }
  }

  get isClosed(): boolean {
    return this.#failure !== undefined;
  }

  /** The version that a request of this API would have, undefined if client and broker share none. */
  versionOf(api: ApiRange, maxVersion: number = api.maxVersion): number | undefined {
    const served = this.#versions.get(api.key);
    if (served === undefined) return undefined;
    const version = Math.min(api.maxVersion, served.maxVersion, maxVersion);
    return version >= Math.max(api.minVersion, served.minVersion) ? version : undefined;
  }

  /** Sends a request and waits for its answer. ClientError for every failure; error codes inside answers are not judged. */
  request<Req, Res, ReqInput, ResInput>(
    api: ApiDefinition<Req, Res, ReqInput, ResInput>,
    request: ReqInput,
    options: RequestOptions = {},
  ): Promise<Res> {
    const version = this.versionOf(api, options.maxVersion);
    if (version === undefined && this.#failure === undefined) {
      const message = `${nameOf(this.address)} serves no version of ${api.name} that this client speaks`;
      return Promise.reject(new ClientError('UNSUPPORTED_VERSION', message));
    }
    return this.#exchange(api, version ?? api.minVersion, request, options, decodeResponseFrame);
  }

  /** Ends the connection; what waits fails. */
  close(): void {
    this.#end(
      new ClientError('CONNECTION_LOST', `connection to ${nameOf(this.address)} was closed`, { retriable: true }),
    );
  }

  #attach(stream: ByteStream) {
    this.#stream = stream;
    return {
      data: (chunk: Buffer): void => this.#receive(chunk),
      closed: (error?: EnvError): void => {
        const message = `connection to ${nameOf(this.address)} was lost${error === undefined ? '' : `: ${error.message}`}`;
        this.#end(new ClientError('CONNECTION_LOST', message, { cause: error, retriable: true }));
      },
    };
  }

  #exchange<Req, Res, ReqInput, ResInput>(
    api: ApiDefinition<Req, Res, ReqInput, ResInput>,
    version: number,
    request: ReqInput,
    { timeoutMs = this.#options.requestTimeoutMs, allocate }: RequestOptions,
    decode: (api: ApiDefinition<Req, Res, ReqInput, ResInput>, version: number, frame: Buffer) => { response: Res },
  ): Promise<Res> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined || this.#stream === undefined) {
        const message = this.#failure?.message ?? `not connected to ${nameOf(this.address)}`;
        reject(new ClientError('CONNECTION_LOST', message, { retriable: true }));
        return;
      }
      const correlationId = this.#nextCorrelationId;
      this.#nextCorrelationId = (correlationId + 1) & 0x7fff_ffff;
      const { clientId } = this.#options;
      let frame: Buffer[];
      try {
        frame = encodeRequestFrame(api, { apiVersion: version, correlationId, clientId }, request);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        reject(new ClientError('UNSUPPORTED_VERSION', `not sent: ${error.message}`, { cause: error }));
        return;
      }
      const timer = this.#clock.schedule(timeoutMs, () => this.#timedOut(correlationId, api.name, timeoutMs));
      this.#waiting.push({
        correlationId,
        timer,
        allocate,
        answer: (bytes) => resolve(decode(api, version, bytes).response),
        reject,
      });
      this.#stream.write(frame);
    });
  }

  #receive(chunk: Buffer): void {
    try {
      this.#splitter.push(chunk, (frame) => this.#answered(frame));
    } catch (error) {
      if (!(error instanceof BytesError || error instanceof ProtocolError)) throw error;
      const message = `${nameOf(this.address)} answered what cannot be read: ${error.message}`;
      this.#end(new ClientError('BAD_RESPONSE', message, { cause: error, maybeSent: true }));
    }
  }

  #answered(frame: Buffer): void {
    if (this.#failure !== undefined) return;
    const correlationId = peekCorrelationId(frame);
    const first = this.#waiting[0];
    if (first?.correlationId !== correlationId) {
      throw new ProtocolError(`correlation id ${correlationId} instead of ${first?.correlationId ?? 'none'}`);
    }
    // Decoded while it still waits, so that it fails with the rest if it cannot be decoded.
    first.answer(frame);
    first.timer.cancel();
    this.#waiting.shift();
  }

  #timedOut(correlationId: number, apiName: string, timeoutMs: Ms): void {
    const at = this.#waiting.findIndex((waiting) => waiting.correlationId === correlationId);
    const message = `${nameOf(this.address)} did not answer ${apiName} within ${timeoutMs} ms`;
    const details = { retriable: true, maybeSent: true };
    const [late] = at < 0 ? [] : this.#waiting.splice(at, 1);
    late?.reject(new ClientError('TIMED_OUT', message, details));
    this.#end(new ClientError('CONNECTION_LOST', `connection closed: ${message}`, details));
  }

  #end(failure: ClientError): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    this.#stream?.close('abort');
    const { code, message, cause, retriable } = failure;
    const sent = new ClientError(code, message, { cause, retriable, maybeSent: true });
    for (const waiting of this.#waiting.splice(0)) {
      waiting.timer.cancel();
      waiting.reject(sent);
    }
    this.#onClosed();
  }

  async #negotiate(): Promise<void> {
    const timeout = { timeoutMs: this.#options.connectTimeoutMs };
    let version = apiVersionsApi.maxVersion;
    for (;;) {
      const asked = version;
      const answer = await this.#exchange(apiVersionsApi, asked, SOFTWARE, timeout, decodeApiVersions);
      if (answer.errorCode === ErrorCode.NONE) {
        for (const served of answer.apiKeys) this.#versions.set(served.apiKey, served);
        return;
      }
      const served = answer.apiKeys.find(({ apiKey }) => apiKey === apiVersionsApi.key)?.maxVersion ?? 0;
      version = Math.min(served, asked - 1);
      if (answer.errorCode !== ErrorCode.UNSUPPORTED_VERSION || version < 0) {
        throw brokerError(answer.errorCode, `ApiVersions at ${nameOf(this.address)}`);
      }
    }
  }
}

interface ApiRange {
  readonly key: number;
  readonly minVersion: number;
  readonly maxVersion: number;
}

/** A broker that lacks the version of the question answers in version 0, which shows in the error code. */
function decodeApiVersions(
  api: typeof apiVersionsApi,
  version: number,
  frame: Buffer,
): { response: ApiVersionsResponse } {
  const refused = frame.length >= 6 && frame.readInt16BE(4) === ErrorCode.UNSUPPORTED_VERSION;
  return decodeResponseFrame(api, refused ? 0 : version, frame);
}

export function nameOf(address: Address): string {
  return `${address.host}:${address.port}`;
}
