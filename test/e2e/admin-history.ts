// Administrators who create, delete, configure and grow the same few topics through every node at once, and what they were told: a
// history for the checkers that simulated runs use (S-M9). What was refused says nothing here: a controller that was replaced and
// does not know it yet may refuse by what it had.
import type { ConfigAction, CountAction } from '../../src/check/config-operations.ts';
import { checkConfigOperations, checkCountOperations } from '../../src/check/config-operations.ts';
import type { ObjectOperation } from '../../src/check/operations.ts';
import type { TopicAction } from '../../src/check/topic-operations.ts';
import { checkTopicOperations } from '../../src/check/topic-operations.ts';
import { parseHostPort } from '../../src/config/listeners.ts';
import type { RpcClient } from '../../src/env/network.ts';
import { RpcError } from '../../src/env/network.ts';
import { AdminServiceDefinition as Admin, ConfigOperation } from '../../src/gen/kvorum/v1/admin.ts';
import { ConfigScope } from '../../src/gen/kvorum/v1/metadata.ts';
import { createEnv } from '../../src/node/env.ts';

const TOPICS = ['history-1', 'history-2', 'history-3'];
/** Is configured and grown, and not deleted. */
const KEPT = 'history-kept';
const KEY = 'delete.retention.ms';
const TIMEOUT_MS = 15_000;
const PAUSE_MS = 30;
const MAX_PARTITIONS = 200;

interface Histories {
  readonly topics: ObjectOperation<TopicAction>[];
  readonly configs: ObjectOperation<ConfigAction>[];
  readonly counts: ObjectOperation<CountAction>[];
}

/** What one call did: `undefined`: surely nothing. */
type Done<Action> = Action | 'unknown' | undefined;

export class AdminHistory {
  readonly #histories: Histories = { topics: [], configs: [], counts: [] };
  readonly #clients: RpcClient[];
  #workers: Promise<void>[] = [];
  #isOver = false;
  #unique = 1000;
  #partitions = 1;

  /** `servers`: gRPC addresses. */
  constructor(servers: readonly string[]) {
    this.#clients = servers.map((server) => {
      const address = parseHostPort(server);
      if (address === undefined) throw new Error(`not an address: ${server}`);
      return createEnv({ level: 'error' }).network.client(address);
    });
  }

  /** Creates what is kept, and begins. */
  async start(): Promise<void> {
    const [first] = this.#clients as [RpcClient];
    const { topics } = await first.call(Admin, Admin.methods.createTopics, creation(KEPT), TIMEOUT_MS);
    if (topics[0]?.error !== undefined) throw new Error(topics[0].error.message);
    this.#workers = this.#clients.map((client, index) => this.#work(client, index));
  }

  /** Ends the calls, and reads what there is in the end, at a server that shows everything. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#workers);
    const now = performance.now();
    const [first] = this.#clients as [RpcClient];
    const names = [...TOPICS, KEPT].map((name) => ({ name, topicId: '' }));
    const { topics } = await first.call(Admin, Admin.methods.describeTopics, { topics: names }, TIMEOUT_MS);
    const { topics: its, configs, counts } = this.#histories;
    const at = { invokedAtMs: now, answeredAtMs: now };
    for (const { name, topicId, error, partitions } of topics) {
      if (name !== KEPT) {
        const action: TopicAction = error === undefined ? { type: 'present', topicId } : { type: 'absent' };
        its.push({ object: name, ...at, action });
      } else counts.push({ object: KEPT, ...at, action: { type: 'counted', count: partitions.length } });
    }
    const resources = [{ scope: ConfigScope.TOPIC, name: KEPT }];
    const described = await first.call(Admin, Admin.methods.describeConfigs, { resources, keys: [KEY] }, TIMEOUT_MS);
    const [entry] = described.resources[0]?.entries ?? [];
    const value = Number(entry?.value) >= 1000 && Number(entry?.value) <= this.#unique ? entry?.value : undefined;
    configs.push({ object: KEPT, ...at, action: { type: 'is', value } });
    for (const client of this.#clients) client.close();
  }

  /** S-M9; what took too long to judge is told too. */
  problems(): string[] {
    const { topics, configs, counts } = this.#histories;
    return [checkTopicOperations(topics), checkConfigOperations(configs), checkCountOperations(counts)].flatMap(
      ({ violation, undecided }) => [
        ...(violation === undefined ? [] : [`${violation.property}: ${violation.detail}`]),
        ...(undecided > 0 ? [`${undecided} histories took too long to judge`] : []),
      ],
    );
  }

  /** Calls whose answer says that they were carried out, by kind. */
  answered(): { readonly topics: number; readonly configs: number; readonly counts: number } {
    const count = (operations: readonly ObjectOperation<unknown>[]): number =>
      operations.filter(({ answeredAtMs }) => answeredAtMs < Number.POSITIVE_INFINITY).length;
    const { topics, configs, counts } = this.#histories;
    return { topics: count(topics), configs: count(configs), counts: count(counts) };
  }

  async #work(client: RpcClient, index: number): Promise<void> {
    for (let round = index; !this.#isOver; round++) {
      const name = TOPICS[round % TOPICS.length] ?? KEPT;
      const { topics, configs, counts } = this.#histories;
      const what = round % 5;
      if (what < 2) await note(topics, name, { type: 'created', topicId: undefined }, () => create(client, name));
      else if (what === 2)
        await note(topics, name, { type: 'deleted', topicId: undefined }, () => remove(client, name));
      else if (what === 3) {
        const action: ConfigAction =
          round % 2 === 0 ? { type: 'reset' } : { type: 'set', value: String(this.#unique++) };
        await note(configs, KEPT, action, () => configure(client, action));
      } else if (this.#partitions < MAX_PARTITIONS) {
        const action: CountAction = { type: 'grown', to: ++this.#partitions };
        await note(counts, KEPT, action, () => grow(client, action));
      }
      await new Promise((resolve) => void setTimeout(resolve, PAUSE_MS));
    }
  }
}

/** `action`: what the call may have done. */
async function note<Action>(
  history: ObjectOperation<Action>[],
  object: string,
  action: Action,
  call: () => Promise<Done<Action>>,
): Promise<void> {
  const invokedAtMs = performance.now();
  const done = await call().catch((error: unknown): 'unknown' | undefined => {
    if (!(error instanceof RpcError)) throw error;
    return error.transport === 'refused' || error.detail?.mayTakeEffect === false ? undefined : 'unknown';
  });
  if (done === undefined) return;
  const isAnswered = done !== 'unknown';
  const answeredAtMs = isAnswered ? performance.now() : Number.POSITIVE_INFINITY;
  history.push({ object, invokedAtMs, answeredAtMs, action: isAnswered ? done : action });
}

const FLAGS = { validateOnly: false, forwarded: false };

function creation(name: string) {
  return { ...FLAGS, topics: [{ name, partitions: 1, replicationFactor: -1, configs: {}, assignments: [] }] };
}

async function create(client: RpcClient, name: string): Promise<Done<TopicAction>> {
  const [answer] = (await client.call(Admin, Admin.methods.createTopics, creation(name), TIMEOUT_MS)).topics;
  return answer?.error === undefined ? { type: 'created', topicId: answer?.topicId } : undefined;
}

async function remove(client: RpcClient, name: string): Promise<Done<TopicAction>> {
  const request = { ...FLAGS, topics: [{ name, topicId: '' }] };
  const [answer] = (await client.call(Admin, Admin.methods.deleteTopics, request, TIMEOUT_MS)).topics;
  return answer?.error === undefined ? { type: 'deleted', topicId: answer?.topicId } : undefined;
}

async function configure(client: RpcClient, action: ConfigAction): Promise<Done<ConfigAction>> {
  const value = action.type === 'set' ? action.value : '';
  const operation = action.type === 'set' ? ConfigOperation.SET : ConfigOperation.RESET;
  const resource = { scope: ConfigScope.TOPIC, name: KEPT };
  const request = { ...FLAGS, resources: [{ resource, alterations: [{ key: KEY, operation, value }] }] };
  const [answer] = (await client.call(Admin, Admin.methods.alterConfigs, request, TIMEOUT_MS)).resources;
  return answer?.error === undefined ? action : undefined;
}

async function grow(client: RpcClient, action: Extract<CountAction, { to: number }>): Promise<Done<CountAction>> {
  const request = { ...FLAGS, topics: [{ topic: KEPT, totalCount: action.to, assignments: [] }] };
  const [answer] = (await client.call(Admin, Admin.methods.createPartitions, request, TIMEOUT_MS)).topics;
  return answer?.error === undefined ? action : undefined;
}
