// A writer that knows what it was promised: it sends numbered payloads with our own client, notes each acknowledgement with
// partition and offset, and compares with what is in the topic afterwards.
import { ClusterClient } from '../../src/client/cluster.ts';
import { ProduceError } from '../../src/client/produce-error.ts';
import { Producer } from '../../src/client/producer.ts';
import { parseHostPort } from '../../src/config/listeners.ts';
import { createEnv } from '../../src/node/env.ts';
import type { KcatRecord } from './kcat.ts';

/** Sent and not answered: the writer waits while there are so many. */
const MAX_UNRESOLVED = 200;

interface Placed {
  readonly partition: number;
  readonly offset: number;
}

/** An acknowledged record. */
export interface Promised extends Placed {
  readonly payload: string;
}

/** By payload, which is unique. */
export interface Promises {
  readonly acknowledged: ReadonlyMap<string, Placed>;
  readonly unknown: ReadonlySet<string>;
}

export class Writer {
  readonly #name: string;
  readonly #topic: string;
  readonly #keyOf: (n: number) => string | null;
  readonly #cluster: ClusterClient;
  readonly #producer: Producer;
  readonly #promises = { acknowledged: new Map<string, Placed>(), unknown: new Set<string>() };
  readonly #errors: Error[] = [];
  #sent = 0;
  #isWriting = true;
  readonly #done: Promise<void>;

  /** Begins at once. The name makes its payloads different from other writers'. `keyOf`: of the record with that number. */
  constructor(bootstrap: string, topic: string, name: string, keyOf: (n: number) => string | null = () => null) {
    this.#name = name;
    this.#keyOf = keyOf;
    this.#topic = topic;
    const addresses = bootstrap.split(',').flatMap((address) => parseHostPort(address) ?? []);
    this.#cluster = new ClusterClient(createEnv({ level: 'error' }), { bootstrap: addresses, requestTimeoutMs: 5000 });
    this.#producer = new Producer(this.#cluster);
    this.#done = this.#write();
  }

  get acknowledged(): number {
    return this.#promises.acknowledged.size;
  }

  /** Sends no more, and waits for the last word on what was sent. */
  async stop(): Promise<void> {
    this.#isWriting = false;
    await this.#done;
    await this.#producer.close();
    this.#cluster.close();
  }

  /** Sends no more, and asks nobody what became of what was sent. */
  abandon(): void {
    this.#isWriting = false;
    this.#cluster.close();
  }

  /** What was acknowledged until now. */
  promised(): Promised[] {
    return [...this.#promises.acknowledged].map(([payload, placed]) => ({ payload, ...placed }));
  }

  async #write(): Promise<void> {
    while (this.#isWriting) {
      if (this.#producer.unresolved < MAX_UNRESOLVED) this.#send(this.#sent++);
      // Other work of this process, and the answers, get their turn.
      await new Promise((resolve) => void setTimeout(resolve, 1));
    }
  }

  #send(n: number): void {
    const payload = `${this.#name}-${n}`;
    const key = this.#keyOf(n);
    const message = { topic: this.#topic, key: key === null ? null : Buffer.from(key), value: Buffer.from(payload) };
    this.#producer.send(message).then(
      ({ partition, offset }) => void this.#promises.acknowledged.set(payload, { partition, offset }),
      (error: unknown) => {
        if (error instanceof ProduceError && error.outcome === 'unknown') this.#promises.unknown.add(payload);
        else this.#errors.push(error as Error);
      },
    );
  }

  /** What is wrong with the topic's records, a sentence each. To be asked after `stop`. */
  violations(records: readonly KcatRecord[]): string[] {
    return [...this.#errors.map((error) => `refused: ${error.message}`), ...violations(this.#promises, records)];
  }
}

/**
 * Acknowledged records must be there, where it was told; those of unknown outcome may be; nothing else, and nothing twice.
 */
export function violations({ acknowledged, unknown }: Promises, records: readonly KcatRecord[]): string[] {
  const found: string[] = [];
  const seen = new Set<string>();
  for (const { payload, partition, offset } of records) {
    const value = payload ?? 'null';
    const at = `at partition ${partition}, offset ${offset}`;
    const told = acknowledged.get(value);
    if (seen.has(value)) found.push(`${value} is there twice, again ${at}`);
    else if (told === undefined && !unknown.has(value)) found.push(`${value} ${at} was never sent`);
    else if (told !== undefined && !isThere(told, partition, offset)) {
      found.push(`${value} is ${at}, told was partition ${told.partition}, offset ${told.offset}`);
    }
    seen.add(value);
  }
  for (const payload of acknowledged.keys()) {
    if (!seen.has(payload)) found.push(`${payload} was acknowledged and is lost`);
  }
  return found;
}

/** Offset -1: the broker remembered only that it had the record. */
function isThere(told: Placed, partition: number, offset: number): boolean {
  return told.partition === partition && (told.offset === offset || told.offset === -1);
}
