// What registrars ask of one controller about topics, configs and numbers of partitions, and what they are told. Each call goes to
// that controller alone and is not repeated, so that what is not answered is truly unknown.
import type { Ms } from '../../base/ids.ts';
import type { ConfigAction, CountAction } from '../../check/config-operations.ts';
import type { TopicAction } from '../../check/topic-operations.ts';
import type { RpcClient } from '../../env/network.ts';
import { RpcError } from '../../env/network.ts';
import { AdminServiceDefinition as Admin, ConfigOperation, ConfigSource } from '../../gen/kvorum/v1/admin.ts';
import { ConfigScope } from '../../gen/kvorum/v1/metadata.ts';

/** What was answered: `nothing` was done or learned, or it is `unknown` whether anything was. */
export type Told<Action> = Action | 'nothing' | 'unknown';

/** One call, and what it may have done when it is not answered; undefined for one that reads. */
export interface Attempt<Action> {
  readonly object: string;
  readonly mayHaveDone: Action | undefined;
  /** What the answer teaches is true of the committed state that it was given from. */
  readonly teaches: (action: Action) => boolean;
  send(client: RpcClient, timeoutMs: Ms): Promise<Told<Action>>;
}

/** A topic config that nothing obeys yet, so that any value does. */
export const CONTESTED_KEY = 'delete.retention.ms';

type TopicRequest = 'create' | 'delete' | 'describe';

export function topicAttempt(request: TopicRequest, topic: string): Attempt<TopicAction> {
  const mayHaveDone = {
    create: { type: 'created', topicId: undefined },
    delete: { type: 'deleted', topicId: undefined },
    describe: undefined,
  } as const;
  return {
    object: topic,
    mayHaveDone: mayHaveDone[request],
    teaches: ({ type }) => type === 'present' || type === 'absent',
    send: (client, timeoutMs) => askTopic(client, request, topic, timeoutMs),
  };
}

function askTopic(client: RpcClient, request: TopicRequest, topic: string, timeoutMs: Ms): Promise<Told<TopicAction>> {
  const { createTopics, deleteTopics, describeTopics } = Admin.methods;
  const topics = [{ name: topic, topicId: '' }];
  return answered(request === 'describe', async () => {
    switch (request) {
      case 'create': {
        const wanted = { name: topic, partitions: 1, replicationFactor: -1, configs: {}, assignments: [] };
        const message = { topics: [wanted], validateOnly: false, forwarded: true };
        return toldOf('created', (await client.call(Admin, createTopics, message, timeoutMs)).topics[0]);
      }
      case 'delete': {
        const message = { topics, validateOnly: false, forwarded: true };
        return toldOf('deleted', (await client.call(Admin, deleteTopics, message, timeoutMs)).topics[0]);
      }
      case 'describe':
        return toldOf('present', (await client.call(Admin, describeTopics, { topics }, timeoutMs)).topics[0]);
    }
  });
}

function toldOf(
  type: 'created' | 'deleted' | 'present',
  answer: { readonly topicId: string; readonly error?: { readonly name: string } | undefined } | undefined,
): Told<TopicAction> {
  if (answer === undefined) throw new Error('an answer about one topic has one entry');
  switch (answer.error?.name) {
    case undefined:
      return { type, topicId: answer.topicId };
    case 'TOPIC_ALREADY_EXISTS':
      return { type: 'present', topicId: undefined };
    case 'UNKNOWN_TOPIC_OR_PARTITION':
      return { type: 'absent' };
    default:
      // Refused for another reason, such as too few brokers.
      return 'nothing';
  }
}

/** `value` undefined: the key is reset. */
export function alterConfigAttempt(topic: string, value: string | undefined): Attempt<ConfigAction> {
  const action: ConfigAction = value === undefined ? { type: 'reset' } : { type: 'set', value };
  const operation = value === undefined ? ConfigOperation.RESET : ConfigOperation.SET;
  const resource = { scope: ConfigScope.TOPIC, name: topic };
  const alterations = [{ key: CONTESTED_KEY, operation, value: value ?? '' }];
  const message = { resources: [{ resource, alterations }], validateOnly: false, forwarded: true };
  return {
    object: topic,
    mayHaveDone: action,
    teaches: () => false,
    send: (client, timeoutMs) =>
      answered(false, async () => {
        const [answer] = (await client.call(Admin, Admin.methods.alterConfigs, message, timeoutMs)).resources;
        return answer?.error === undefined ? action : 'nothing';
      }),
  };
}

export function describeConfigAttempt(topic: string): Attempt<ConfigAction> {
  const message = { resources: [{ scope: ConfigScope.TOPIC, name: topic }], keys: [CONTESTED_KEY] };
  return {
    object: topic,
    mayHaveDone: undefined,
    teaches: () => true,
    send: (client, timeoutMs) =>
      answered(true, async () => {
        const [answer] = (await client.call(Admin, Admin.methods.describeConfigs, message, timeoutMs)).resources;
        const [entry] = answer?.entries ?? [];
        if (answer?.error !== undefined || entry === undefined) return 'nothing';
        return { type: 'is', value: entry.source === ConfigSource.TOPIC ? entry.value : undefined };
      }),
  };
}

export function growAttempt(topic: string, to: number): Attempt<CountAction> {
  const message = { topics: [{ topic, totalCount: to, assignments: [] }], validateOnly: false, forwarded: true };
  return {
    object: topic,
    mayHaveDone: { type: 'grown', to },
    teaches: ({ type }) => type === 'refused',
    send: (client, timeoutMs) =>
      answered(false, async () => {
        const [answer] = (await client.call(Admin, Admin.methods.createPartitions, message, timeoutMs)).topics;
        if (answer?.error === undefined) return { type: 'grown', to };
        return answer.error.name === 'INVALID_PARTITIONS' ? { type: 'refused', to } : 'nothing';
      }),
  };
}

export function countAttempt(topic: string): Attempt<CountAction> {
  const message = { topics: [{ name: topic, topicId: '' }] };
  return {
    object: topic,
    mayHaveDone: undefined,
    teaches: () => true,
    send: (client, timeoutMs) =>
      answered(true, async () => {
        const [answer] = (await client.call(Admin, Admin.methods.describeTopics, message, timeoutMs)).topics;
        if (answer === undefined || answer.error !== undefined) return 'nothing';
        return { type: 'counted', count: answer.partitions.length };
      }),
  };
}

async function answered<Action>(isRead: boolean, ask: () => Promise<Told<Action>>): Promise<Told<Action>> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    const isSure = ['FAILED_PRECONDITION', 'RESOURCE_EXHAUSTED', 'UNIMPLEMENTED'].includes(error.status);
    return isSure || error.transport === 'refused' || isRead ? 'nothing' : 'unknown';
  }
}
