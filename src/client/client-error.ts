// How a client's calls fail: with a closed code for programs and one sentence for people.
import { errorInfo, errorName } from '../protocol/error-codes.ts';

/**
 * `CONNECT_FAILED`: no connection could be made. `CONNECTION_LOST`: it broke, or was closed, before the answer.
 * `TIMED_OUT`: no answer in time. `UNSUPPORTED_VERSION`: client and broker share no version
 * of the API, or the one they share cannot carry the request.
 * `BAD_RESPONSE`: the answer is not what was asked for. `BROKER_ERROR`: the broker answered with an error code.
 * `LOG_TRUNCATED`: the log no longer holds what was read from it. `TOPIC_RECREATED`: the name belongs to another topic now.
 * `CLOSED`: this client was closed by its user.
 */
export type ClientErrorCode =
  | 'CONNECT_FAILED'
  | 'CONNECTION_LOST'
  | 'TIMED_OUT'
  | 'UNSUPPORTED_VERSION'
  | 'BAD_RESPONSE'
  | 'BROKER_ERROR'
  | 'LOG_TRUNCATED'
  | 'TOPIC_RECREATED'
  | 'CLOSED';

export class ClientError extends Error {
  override name = 'ClientError';
  readonly code: ClientErrorCode;
  /** Kafka's name of the error for BROKER_ERROR. */
  readonly kafkaError: string | undefined;
  /** Whether asking again may succeed. */
  readonly retriable: boolean;
  /** Whether the request may have reached a broker and been carried out. */
  readonly maybeSent: boolean;

  constructor(
    code: ClientErrorCode,
    message: string,
    details: { cause?: unknown; kafkaError?: string; retriable?: boolean; maybeSent?: boolean } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.kafkaError = details.kafkaError;
    this.retriable = details.retriable ?? false;
    this.maybeSent = details.maybeSent ?? false;
  }
}

/** For an error code that a broker answered; `what` names what was asked for. */
export function brokerError(code: number, what: string, message?: string | null): ClientError {
  const info = errorInfo(code);
  const name = errorName(code);
  const reason = message ?? info?.meaning ?? 'An error that this client does not know.';
  return new ClientError('BROKER_ERROR', `${what}: ${name}: ${reason}`, {
    kafkaError: name,
    retriable: info?.retriable ?? false,
    maybeSent: true,
  });
}
