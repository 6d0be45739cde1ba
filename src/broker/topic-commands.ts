// Administration on behalf of clients: forwarded to the active controller, answered once this broker's own image shows the
// result, so that the client that asked finds it here (behaviour 14). Also creates topics that clients ask for (behaviour 12).
import type { Ms } from '../base/ids.ts';
import type { ControllerChannel } from '../client/controller-channel.ts';
import type { NodeValues } from '../config/node-keys.ts';
import type { Clock } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import type { RpcMethod } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import type {
  CreateTopicsResponse,
  DeleteTopicsResponse,
  DescribeQuorumResponse,
  NewTopic,
  TopicSelector,
} from '../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition as Admin } from '../gen/kvorum/v1/admin.ts';
import type { MetadataPublisher } from '../metadata/publisher.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { within } from './within.ts';

export interface TopicCommandsDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly controller: ControllerChannel;
  readonly metadata: MetadataPublisher;
  readonly values: NodeValues;
}

/** Kafka's rule for names: 1 to 249 of letters, digits, '.', '_', '-', but neither '.' nor '..'. */
export function isLegalTopicName(name: string): boolean {
  return /^[a-zA-Z0-9._-]{1,249}$/.test(name) && name !== '.' && name !== '..';
}

/**
 * A call-level failure as a Kafka error: what a client does about it, and the sentence. Clients repeat on NOT_CONTROLLER without
 * asking anybody, so that is only for what was surely not done; of REQUEST_TIMED_OUT everybody knows that nothing is known.
 */
export function describeFailure(error: unknown): { code: number; message: string } {
  if (!(error instanceof RpcError)) throw error;
  const { transport, message } = error;
  switch (error.status) {
    case 'DEADLINE_EXCEEDED':
    case 'UNAVAILABLE':
    case 'CANCELLED':
      return { code: transport === 'refused' ? ErrorCode.NOT_CONTROLLER : ErrorCode.REQUEST_TIMED_OUT, message };
    case 'FAILED_PRECONDITION':
      return { code: ErrorCode.NOT_CONTROLLER, message };
    case 'RESOURCE_EXHAUSTED':
      return { code: ErrorCode.THROTTLING_QUOTA_EXCEEDED, message };
    case 'INVALID_ARGUMENT':
      return { code: ErrorCode.INVALID_REQUEST, message: error.message };
    default:
      return { code: ErrorCode.UNKNOWN_SERVER_ERROR, message: error.message };
  }
}

export class TopicCommands {
  readonly #deps: TopicCommandsDeps;
  /** Names whose creation is under way. */
  readonly #creating = new Set<string>();

  constructor(deps: TopicCommandsDeps) {
    this.#deps = deps;
  }

  create(topics: NewTopic[], validateOnly: boolean, timeoutMs: Ms): Promise<CreateTopicsResponse> {
    return this.#change(Admin.methods.createTopics, { topics, validateOnly, forwarded: true }, timeoutMs);
  }

  delete(topics: TopicSelector[], timeoutMs: Ms): Promise<DeleteTopicsResponse> {
    return this.#change(Admin.methods.deleteTopics, { topics, validateOnly: false, forwarded: true }, timeoutMs);
  }

  describeQuorum(timeoutMs: Ms = this.#deps.values['request.timeout.ms']): Promise<DescribeQuorumResponse> {
    return this.#deps.controller.call(Admin, Admin.methods.describeQuorum, { forwarded: true }, timeoutMs);
  }

  async #change<Request, Response extends { metadataEndOffset: number }>(
    method: RpcMethod<Request, Response>,
    request: Request,
    timeoutMs: Ms,
  ): Promise<Response> {
    const { clock, controller, metadata, values } = this.#deps;
    const limitMs = Math.min(Math.max(timeoutMs, 1), values['request.timeout.ms']);
    const deadline = clock.now() + limitMs;
    const response = await controller.call(Admin, method, request, limitMs, { repeatable: false });
    // It is committed: that this broker lags behind does not make it fail.
    await within(clock, deadline - clock.now(), metadata.whenAt(response.metadataEndOffset));
    return response;
  }

  /** Starts to create a topic that a client asked for, with the cluster's defaults. The client finds out by asking again. */
  createMissing(name: string): void {
    if (this.#creating.has(name)) return;
    this.#creating.add(name);
    void this.#createMissing(name).finally(() => this.#creating.delete(name));
  }

  async #createMissing(name: string): Promise<void> {
    const { logger, values } = this.#deps;
    const topic: NewTopic = { name, partitions: -1, replicationFactor: -1, configs: {}, assignments: [] };
    try {
      const { topics } = await this.create([topic], false, values['request.timeout.ms']);
      const error = topics[0]?.error;
      if (error === undefined) logger.info('topic-auto-created', { topic: name });
      else if (error.code !== ErrorCode.TOPIC_ALREADY_EXISTS) {
        logger.warn('topic-not-auto-created', { topic: name, error: error.name, reason: error.message });
      }
    } catch (error) {
      logger.warn('topic-not-auto-created', { topic: name, reason: describeFailure(error).message });
    }
  }
}
