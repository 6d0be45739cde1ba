// A stream of topic creations, and deletions of some, that goes through every node in turn, as Kafka clients and gRPC users send
// them: each name once, never repeated. It knows what it was answered, and compares that with what every broker lists at the end.
import { createTopics, deleteTopics } from '../../src/client/admin.ts';
import { ClientError } from '../../src/client/client-error.ts';
import { ClusterClient } from '../../src/client/cluster.ts';
import { parseHostPort } from '../../src/config/listeners.ts';
import type { Address, RpcClient } from '../../src/env/network.ts';
import { RpcError } from '../../src/env/network.ts';
import type { ItemError } from '../../src/gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition as Admin } from '../../src/gen/kvorum/v1/admin.ts';
import { createEnv } from '../../src/node/env.ts';

/**
 * How one creation, or one deletion, ended. `done` and `refused` are certain; `wrong`: refused for a reason that cannot be, as each
 * name is used once.
 */
export type Outcome = 'done' | 'refused' | 'unknown' | 'wrong';

export interface Answer {
  readonly outcome: Outcome;
  /** Of a creation that was answered. */
  readonly topicId: string;
  readonly reason: string;
}

/** What was answered for one name; `deletion` is undefined if it was not asked for. */
export interface Asked {
  readonly creation: Answer;
  readonly deletion?: Answer | undefined;
}

export interface ListedTopic {
  readonly name: string;
  readonly topicId: string;
}

/** What is wrong with the topics that one broker lists, a sentence each. */
export function violations(asked: ReadonlyMap<string, Asked>, listed: readonly ListedTopic[]): string[] {
  const found: string[] = [];
  const seen = new Map<string, string>();
  for (const { name, topicId } of listed) {
    if (seen.has(name)) found.push(`${name} is there twice`);
    seen.set(name, topicId);
    if (!asked.has(name)) found.push(`${name} is there and was never asked for`);
  }
  for (const [name, { creation, deletion }] of asked) {
    const id = seen.get(name);
    if (creation.outcome === 'wrong') found.push(`${name}: creation answered '${creation.reason}'`);
    if (deletion?.outcome === 'wrong') found.push(`${name}: deletion answered '${deletion.reason}'`);
    if (creation.outcome === 'refused' && id !== undefined) {
      found.push(`${name} is there, although its creation was refused: ${creation.reason}`);
    }
    if (creation.outcome === 'done' && id !== undefined && id !== creation.topicId) {
      found.push(`${name} is another topic than the one that was answered`);
    }
    const mayBeGone = deletion !== undefined && deletion.outcome !== 'refused';
    if (creation.outcome === 'done' && id === undefined && !mayBeGone)
      found.push(`${name} was answered and is missing`);
    if (deletion?.outcome === 'done' && id !== undefined)
      found.push(`${name} is there, although its deletion was answered`);
  }
  return found;
}

/** One way into the cluster. */
interface Door {
  readonly name: string;
  create(topic: string): Promise<Answer>;
  delete(topic: string): Promise<Answer>;
  close(): void;
}

/** How long each call may take. */
const CALL_TIMEOUT_MS = 15_000;
/** Every so many creations the topic is deleted again. */
const DELETE_EVERY = 5;
/** Between two calls at one door. */
const PAUSE_MS = 20;

const DONE: Answer = { outcome: 'done', topicId: '', reason: '' };

export interface Ways {
  /** Kafka addresses of brokers. */
  readonly bootstrap: readonly string[];
  /** gRPC addresses of brokers and controllers. */
  readonly grpc: readonly string[];
}

export class TopicCreations {
  readonly #asked = new Map<string, Asked>();
  readonly #doors: Door[];
  readonly #workers: Promise<void>[];
  /** Called with the time at which each creation that is answered now was begun. */
  readonly #listeners = new Set<(begunAt: number) => void>();
  #number = 0;
  #isAsking = true;
  longestCallMs = 0;

  /** Begins at once, at all doors. */
  constructor({ bootstrap, grpc }: Ways) {
    this.#doors = [...bootstrap.map(kafkaDoor), ...grpc.map(grpcDoor)];
    this.#workers = this.#doors.map((door) => this.#work(door));
  }

  /** Counts of creations and deletions by outcome. */
  counts(): Record<Outcome, number> {
    const counts = { done: 0, refused: 0, unknown: 0, wrong: 0 };
    for (const { creation, deletion } of this.#asked.values()) {
      counts[creation.outcome]++;
      if (deletion !== undefined) counts[deletion.outcome]++;
    }
    return counts;
  }

  /** Why calls were refused or unknown, with numbers cut out, and how often. */
  reasons(): Map<string, number> {
    const reasons = new Map<string, number>();
    for (const { creation, deletion } of this.#asked.values()) {
      for (const answer of [creation, deletion]) {
        if (answer === undefined || answer.outcome === 'done') continue;
        const text = `${answer.outcome}: ${answer.reason.replaceAll(/[a-z]+-\d+-\d+|\d+/g, '#')}`;
        reasons.set(text, (reasons.get(text) ?? 0) + 1);
      }
    }
    return reasons;
  }

  /** Milliseconds until a creation is answered that was begun after this call. */
  untilAnswered(timeoutMs = 60_000): Promise<number> {
    const from = performance.now();
    return new Promise((resolve, reject) => {
      const settle = (how: () => void): void => {
        clearTimeout(timer);
        this.#listeners.delete(listener);
        how();
      };
      const listener = (begunAt: number): void => {
        if (begunAt >= from) settle(() => resolve(performance.now() - from));
      };
      const late = (): void => settle(() => reject(new Error(`no creation was answered within ${timeoutMs} ms`)));
      const timer = setTimeout(late, timeoutMs);
      this.#listeners.add(listener);
    });
  }

  /** Asks no more, and waits for the last answers. */
  async stop(): Promise<ReadonlyMap<string, Asked>> {
    this.#isAsking = false;
    await Promise.all(this.#workers);
    for (const door of this.#doors) door.close();
    return this.#asked;
  }

  async #work(door: Door): Promise<void> {
    while (this.#isAsking) {
      const number = ++this.#number;
      const name = `stream-${door.name}-${number}`;
      const begunAt = performance.now();
      const creation = await door.create(name);
      this.longestCallMs = Math.max(this.longestCallMs, performance.now() - begunAt);
      this.#asked.set(name, { creation });
      if (creation.outcome === 'done') {
        for (const listener of [...this.#listeners]) listener(begunAt);
        if (number % DELETE_EVERY === 0) this.#asked.set(name, { creation, deletion: await door.delete(name) });
      }
      await new Promise((resolve) => void setTimeout(resolve, PAUSE_MS));
    }
  }
}

// ---- Kafka ----

/** Its promise is that nothing was done; that every client may repeat it rests on that. */
const SURELY_NOT_DONE = 'NOT_CONTROLLER';

function kafkaDoor(bootstrap: string): Door {
  const address = addressOf(bootstrap);
  const cluster = new ClusterClient(createEnv({ level: 'error' }), {
    bootstrap: [address],
    requestTimeoutMs: CALL_TIMEOUT_MS,
  });
  const options = { timeoutMs: CALL_TIMEOUT_MS };
  const ask = async (call: () => Promise<{ topicId: string; error: ClientError | undefined }[]>): Promise<Answer> => {
    try {
      const [answer] = await call();
      if (answer === undefined) return { outcome: 'wrong', topicId: '', reason: 'the answer names no topic' };
      const { error, topicId } = answer;
      return error === undefined ? { ...DONE, topicId } : kafkaAnswer(error);
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      return { outcome: error.maybeSent ? 'unknown' : 'refused', topicId: '', reason: error.message };
    }
  };
  return {
    name: `kafka-${address.port}`,
    create: (name) => ask(() => createTopics(cluster, [{ name, partitions: 2 }], options)),
    delete: (name) => ask(() => deleteTopics(cluster, [name], options)),
    close: () => cluster.close(),
  };
}

function kafkaAnswer({ kafkaError, message }: ClientError): Answer {
  const outcome = kafkaError === SURELY_NOT_DONE ? 'refused' : kafkaError === 'REQUEST_TIMED_OUT' ? 'unknown' : 'wrong';
  return { outcome, topicId: '', reason: message };
}

// ---- gRPC ----

function grpcDoor(server: string): Door {
  const address = addressOf(server);
  const client: RpcClient = createEnv({ level: 'error' }).network.client(address);
  const ask = async (
    call: () => Promise<{ topics: { topicId: string; error?: ItemError | undefined }[] }>,
  ): Promise<Answer> => {
    try {
      const [answer] = (await call()).topics;
      if (answer === undefined) return { outcome: 'wrong', topicId: '', reason: 'the answer names no topic' };
      const { error, topicId } = answer;
      return error === undefined ? { ...DONE, topicId } : { outcome: 'wrong', topicId: '', reason: error.message };
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      const isCertain = error.transport === 'refused' || error.status === 'FAILED_PRECONDITION';
      return { outcome: isCertain ? 'refused' : 'unknown', topicId: '', reason: error.message };
    }
  };
  const { createTopics: create, deleteTopics: remove } = Admin.methods;
  return {
    name: `grpc-${address.port}`,
    create: (name) => {
      const topics = [{ name, partitions: 2, replicationFactor: -1, configs: {}, assignments: [] }];
      const request = { topics, validateOnly: false, forwarded: false };
      return ask(() => client.call(Admin, create, request, CALL_TIMEOUT_MS));
    },
    delete: (name) => {
      const request = { topics: [{ name, topicId: '' }], forwarded: false };
      return ask(() => client.call(Admin, remove, request, CALL_TIMEOUT_MS));
    },
    close: () => client.close(),
  };
}

function addressOf(text: string): Address {
  const address = parseHostPort(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return address;
}
