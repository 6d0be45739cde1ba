// Administration on behalf of Kafka clients: passed on to the active controller as AdminService's is. Also creates topics that
// clients ask for (behaviour 12).
import type { Ms } from '../base/ids.ts';
import type { AdminForwarder } from '../client/admin-forwarder.ts';
import type { ControllerChannel } from '../client/controller-channel.ts';
import type { NodeValues } from '../config/node-keys.ts';
import type { Logger } from '../env/logger.ts';
import { RpcError } from '../env/network.ts';
import type {
  CreateTopicsResponse,
  DeleteTopicsResponse,
  DescribeQuorumResponse,
  NewTopic,
  TopicSelector,
} from '../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition as Admin } from '../gen/kvorum/v1/admin.ts';
import { ErrorCode } from '../protocol/error-codes.ts';

export interface TopicCommandsDeps {
  readonly logger: Logger;
  readonly controller: ControllerChannel;
  readonly forwarder: AdminForwarder;
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
  const { transport, message, detail } = error;
  if (detail?.mayTakeEffect === true) return { code: ErrorCode.REQUEST_TIMED_OUT, message };
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
    const request = { topics, validateOnly, forwarded: false };
    return this.#deps.forwarder.send('createTopics', request, Math.max(timeoutMs, 1));
  }

  delete(topics: TopicSelector[], timeoutMs: Ms): Promise<DeleteTopicsResponse> {
    const request = { topics, validateOnly: false, forwarded: false };
    return this.#deps.forwarder.send('deleteTopics', request, Math.max(timeoutMs, 1));
  }

  describeQuorum(timeoutMs: Ms = this.#deps.values['request.timeout.ms']): Promise<DescribeQuorumResponse> {
    return this.#deps.controller.call(Admin, Admin.methods.describeQuorum, { forwarded: true }, timeoutMs);
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
