// One voter with a real quorum on a simulated disk, its committed image, and what it answers about both.

import { metadataStateMachine } from '../../../src/controller/state-machine.ts';
import { sleep } from '../../../src/env/clock.ts';
import type { Env } from '../../../src/env/env.ts';
import type { MetadataRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import { MetadataPublisher } from '../../../src/metadata/publisher.ts';
import { encodeRecord } from '../../../src/metadata/record.ts';
import { createDurableEnd } from '../../../src/quorum/durable-end.ts';
import { Quorum } from '../../../src/quorum/quorum.ts';
import type { ReadQuorum } from '../../../src/server/committed-metadata.ts';
import type { MetadataAdmin } from '../../../src/server/metadata-admin.ts';
import { metadataAdmin } from '../../../src/server/metadata-admin.ts';
import { World } from '../../../src/sim/world/world.ts';
import { uuid } from '../metadata/fixture.ts';

export class MetadataNode {
  readonly world = new World({ seed: 5 });
  readonly publisher = new MetadataPublisher();
  readonly stop = new AbortController();
  /** So many of the next reads find that the log was trimmed. */
  trimmedReads = 0;
  #quorum: Quorum | undefined;
  #admin: MetadataAdmin | undefined;
  #claimed: number | undefined;
  #env: Env | undefined;

  async start(): Promise<this> {
    const process = this.world.process('c1');
    process.disk.provision('/data');
    process.start((env) => this.#open(env));
    await this.world.runUntil(() => this.#claimed !== undefined, 30_000, 'a leader');
    return this;
  }

  async #open(env: Env): Promise<void> {
    await createDurableEnd(env.disk, '/data');
    const quorum = await Quorum.open(env, {
      directory: '/data',
      endpoint: 'c1:9093',
      snapshots: { maxBytes: 1 << 30, maxIntervalMs: 0 },
      raft: {
        clusterId: uuid(1),
        replica: { id: 1, directoryId: uuid(101) },
        electionTimeoutMs: 250,
        fetchTimeoutMs: 600,
        requestTimeoutMs: 1000,
        retryBackoffMs: 20,
        fetchMaxWaitMs: 300,
        fetchMaxBytes: 1 << 20,
        snapshotChunkBytes: 1 << 16,
      },
      findVoters: () => Promise.resolve(new Map([[1, { host: 'c1', port: 9093 }]])),
      fatal: (reason) => {
        throw new Error(reason);
      },
    });
    this.#env = env;
    this.#quorum = quorum;
    this.#admin = metadataAdmin({ clock: env.clock, quorum: this.#trimmedAtTimes(quorum), publisher: this.publisher });
    quorum.start(
      metadataStateMachine(this.publisher, {
        leaderChanged: () => {},
        claim: (epoch) => {
          this.#claimed = epoch;
        },
      }),
    );
  }

  #trimmedAtTimes(quorum: Quorum): ReadQuorum {
    return {
      describe: () => quorum.describe(),
      whenCommitted: (endOffset, timeoutMs) => quorum.whenCommitted(endOffset, timeoutMs),
      get snapshots() {
        return quorum.snapshots;
      },
      openSnapshot: (id) => quorum.openSnapshot(id),
      readCommitted: (from, maxBytes) => {
        if (this.trimmedReads === 0) return quorum.readCommitted(from, maxBytes);
        this.trimmedReads--;
        return { type: 'belowLogStart', logStartOffset: from + 1, latest: { endOffset: from + 1, epoch: 1 } };
      },
    };
  }

  get quorum(): Quorum {
    if (this.#quorum === undefined) throw new Error('not started');
    return this.#quorum;
  }

  get admin(): MetadataAdmin {
    if (this.#admin === undefined) throw new Error('not started');
    return this.#admin;
  }

  /** The end offset of the batch, which is not committed yet. */
  append(records: readonly MetadataRecord[]): { baseOffset: number; endOffset: number } {
    const appended = this.quorum.append(this.#claimed ?? -1, records.map(encodeRecord));
    if (appended === undefined) throw new Error('it does not lead');
    return { baseOffset: appended.baseOffset, endOffset: appended.lastOffset + 1 };
  }

  /** A committed and applied batch; its base offset. Its records say that it was decided `timestampMs` after 1970. */
  async commit(records: readonly MetadataRecord[], timestampMs = -1): Promise<number> {
    const stamped = records.map((record, i) => (i === 0 && timestampMs >= 0 ? { ...record, timestampMs } : record));
    const { baseOffset, endOffset } = this.append(stamped);
    await this.world.runUntil(() => this.publisher.image.endOffset >= endOffset, 30_000, 'the batch is applied');
    return baseOffset;
  }

  /** Within the world: two snapshots, with the record in between, so that the log begins at the first of them. */
  async trim(between: MetadataRecord): Promise<void> {
    await this.quorum.takeSnapshot();
    await this.publisher.whenAt(this.append([between]).endOffset);
    await this.quorum.takeSnapshot();
    if (this.#env !== undefined) await sleep(this.#env.clock, 100);
  }

  /** Snapshots everything so far: its end. With the second one the log begins at the first. */
  async snapshot(): Promise<number> {
    const id = await this.during(this.quorum.takeSnapshot());
    await this.world.runFor(100);
    return id?.endOffset ?? -1;
  }

  /** The outcome, which needs the world to go on. */
  async during<T>(promise: Promise<T>): Promise<T> {
    let isDone = false;
    const done = (): void => {
      isDone = true;
    };
    promise.then(done, done);
    await this.world.runUntil(() => isDone, 60_000, 'an answer');
    return promise;
  }

  /** All messages of a stream; `between` is done after each. */
  collect<T>(stream: AsyncIterable<T>, between: (message: T) => Promise<void> | void = () => {}): Promise<T[]> {
    return this.during(
      (async () => {
        const messages: T[] = [];
        for await (const message of stream) {
          messages.push(message);
          await between(message);
        }
        return messages;
      })(),
    );
  }

  get context() {
    return { peer: 'test', remainingMs: 10_000, signal: this.stop.signal };
  }
}
