// Three quorum nodes over the simulated network and disks, with a state machine that keeps every record: it can be compared, written
// as a snapshot, and loaded again.
import { expect } from 'vitest';
import type { Env } from '../../../src/env/env.ts';
import { createDurableEnd } from '../../../src/quorum/durable-end.ts';
import type { QuorumOptions } from '../../../src/quorum/options.ts';
import { Quorum } from '../../../src/quorum/quorum.ts';
import type { CommittedBatch, StateMachine } from '../../../src/quorum/state-machine.ts';
import type { SimProcess } from '../../../src/sim/process/process.ts';
import { World } from '../../../src/sim/world/world.ts';
import { uuid } from '../metadata/fixture.ts';

const IDS = [1, 2, 3];
export const ELECTION_MS = 250;
const VOTERS = new Map(IDS.map((id) => [id, { host: `c${id}`, port: 9093 }]));

/** One life of one node. */
export class Member {
  readonly id: number;
  readonly process: SimProcess;
  /** Another disk is another identity. */
  directoryId: string;
  options: Partial<Pick<QuorumOptions, 'snapshots' | 'findVoters'>> = {};
  quorum: Quorum | undefined;
  applied: CommittedBatch[] = [];
  /** Where the state begins that `applied` was applied to, and the records of that snapshot. */
  loaded = { endOffset: 0, records: [] as string[] };
  readonly events: string[] = [];
  readonly fatal: string[] = [];
  claimed: number | undefined;
  /** Thrown by the next apply of a batch with records. */
  sabotage: Error | undefined;
  env: Env | undefined;
  /** Why the last start failed. */
  refused: Error | undefined;

  constructor(world: World, id: number) {
    this.id = id;
    this.directoryId = uuid(100 + id);
    this.process = world.process(`c${id}`);
  }

  start(): void {
    if (this.process.lives === 0) this.process.disk.provision('/data');
    this.applied = [];
    this.loaded = { endOffset: 0, records: [] };
    this.claimed = undefined;
    this.quorum = undefined;
    this.refused = undefined;
    this.process.start(async (env) => {
      this.env = env;
      try {
        await this.open(env);
      } catch (error) {
        this.refused = error as Error;
      }
    });
  }

  /** A new disk, formatted: this node is somebody else from now on. */
  wipe(): void {
    this.process.disk.wipe();
    this.process.disk.provision('/data');
    this.directoryId = uuid(200 + this.id);
  }

  async open(env: Env): Promise<void> {
    if (!(await env.disk.exists('/data/durable-end'))) await createDurableEnd(env.disk, '/data');
    const quorum = await Quorum.open(env, {
      directory: '/data',
      endpoint: '',
      snapshots: { maxBytes: 1 << 30, maxIntervalMs: 0 },
      raft: {
        clusterId: uuid(1),
        replica: { id: this.id, directoryId: this.directoryId },
        electionTimeoutMs: ELECTION_MS,
        fetchTimeoutMs: 600,
        requestTimeoutMs: 1000,
        retryBackoffMs: 20,
        fetchMaxWaitMs: 300,
        fetchMaxBytes: 1 << 20,
        snapshotChunkBytes: 64,
      },
      findVoters: () => Promise.resolve(VOTERS),
      fatal: (reason) => {
        this.fatal.push(reason);
      },
      ...this.options,
    });
    await env.network.serve({ host: `c${this.id}`, port: 9093 }, [quorum.service]);
    this.quorum = quorum;
    quorum.start(this.#machine());
  }

  #machine(): StateMachine {
    return {
      apply: (batch) => {
        if (batch.records.length > 0 && this.sabotage !== undefined) throw this.sabotage;
        expect(batch.baseOffset).toBe(this.endOffset);
        this.applied.push(batch);
      },
      load: async ({ endOffset }, chunks) => {
        const records: string[] = [];
        for await (const chunk of chunks) for (const record of chunk) records.push(Buffer.from(record).toString());
        expect(endOffset).toBeGreaterThanOrEqual(this.endOffset);
        this.loaded = { endOffset, records };
        this.applied = [];
        this.events.push(`load ${endOffset}`);
      },
      snapshot: () => this.records.map((record) => Buffer.from(record)),
      claim: (epoch) => {
        expect(this.claimed).toBeUndefined();
        this.claimed = epoch;
        this.events.push(`claim ${epoch}`);
      },
      renounce: (epoch) => {
        expect(this.claimed).toBe(epoch);
        this.claimed = undefined;
        this.events.push(`renounce ${epoch}`);
      },
      leaderChanged: () => {},
    };
  }

  get endOffset(): number {
    return this.applied.at(-1)?.endOffset ?? this.loaded.endOffset;
  }

  get records(): string[] {
    const applied = this.applied.flatMap(({ records }) => records.map((record) => Buffer.from(record).toString()));
    return [...this.loaded.records, ...applied];
  }

  append(...records: string[]) {
    return this.quorum?.append(
      this.claimed ?? -1,
      records.map((record) => Buffer.from(record)),
    );
  }

  /** Names of its snapshot files. */
  async files(): Promise<string[]> {
    const entries = (await this.env?.disk.list('/data/snapshots')) ?? [];
    return entries.map(({ name }) => name);
  }
}

export class Trio {
  readonly world: World;
  readonly members: Member[];

  constructor(seed = 11) {
    this.world = new World({ seed });
    this.members = IDS.map((id) => new Member(this.world, id));
  }

  startAll(): void {
    for (const member of this.members) member.start();
  }

  get leader(): Member | undefined {
    return this.members.find(({ claimed, process }) => claimed !== undefined && process.isAlive);
  }

  async elected(): Promise<Member> {
    await this.world.runUntil(() => this.leader !== undefined, 30_000, 'a leader');
    return this.leader as Member;
  }

  async committed(records: string[], members = this.members): Promise<void> {
    const same = ({ records: its }: Member): boolean => its.join() === records.join();
    await this.world.runUntil(() => members.every(same), 30_000, `${records.join()} everywhere`);
  }
}

export async function elected(): Promise<{ trio: Trio; leader: Member }> {
  const trio = new Trio();
  trio.startAll();
  const leader = await trio.elected();
  await trio.world.runFor(1000); // all have found it
  return { trio, leader };
}
