// A replica of a quorum with a state machine that keeps what it applied, in one life of a simulated process.
import type { Env } from '../../../src/env/env.ts';
import type { CoreTrace } from '../../../src/quorum/core-trace.ts';
import { createDurableEnd } from '../../../src/quorum/durable-end.ts';
import type { QuorumOptions } from '../../../src/quorum/options.ts';
import { Quorum } from '../../../src/quorum/quorum.ts';
import { World } from '../../../src/sim/world/world.ts';
import { uuid } from '../metadata/fixture.ts';

export const CLUSTER_ID = uuid(1);
const IDS = [1, 2, 3];

export const voterOf = (id: number) => ({ id, directoryId: uuid(100 + id), endpoint: `c${id}:9093` });

export interface Life {
  readonly quorum: Quorum;
  claimed: number | undefined;
  applied: string[];
}

export interface ReplicaOptions {
  /** Node ids; 1, 2, 3 if not given. */
  readonly voters?: readonly number[];
  readonly snapshots?: QuorumOptions['snapshots'];
  readonly trace?: CoreTrace;
}

/** Formats the folder where nothing is there yet, opens the replica and starts it. */
export async function openReplica(env: Env, id: number, options: ReplicaOptions = {}): Promise<Life> {
  if (!(await env.disk.exists('/data/metadata'))) await createDurableEnd(env.disk, '/data');
  const voters = new Map((options.voters ?? IDS).map((voter) => [voter, { host: `c${voter}`, port: 9093 }]));
  const quorum = await Quorum.open(env, {
    directory: '/data',
    endpoint: `c${id}:9093`,
    snapshots: options.snapshots ?? { maxBytes: 1 << 30, maxIntervalMs: 0 },
    raft: {
      clusterId: CLUSTER_ID,
      replica: { id, directoryId: uuid(100 + id) },
      electionTimeoutMs: 250,
      fetchTimeoutMs: 600,
      requestTimeoutMs: 1000,
      retryBackoffMs: 20,
      fetchMaxWaitMs: 300,
      fetchMaxBytes: 1 << 20,
      snapshotChunkBytes: 64,
    },
    findVoters: () => Promise.resolve(voters),
    trace: options.trace,
    fatal: (reason) => {
      throw new Error(reason);
    },
  });
  await env.network.serve({ host: `c${id}`, port: 9093 }, [quorum.service]);
  const life: Life = { quorum, claimed: undefined, applied: [] };
  quorum.start({
    apply: ({ records }) => void life.applied.push(...records.map((record) => Buffer.from(record).toString())),
    load: async (_id, chunks) => {
      life.applied = [];
      for await (const chunk of chunks) life.applied.push(...chunk.map((record) => Buffer.from(record).toString()));
    },
    snapshot: () => life.applied.map((record) => Buffer.from(record)),
    claim: (epoch) => {
      life.claimed = epoch;
    },
    renounce: () => {
      life.claimed = undefined;
    },
    leaderChanged: () => {},
  });
  return life;
}

/** Starts the process of that replica; `life` is set once it is open. */
export function startReplica(
  world: World,
  id: number,
  options: (env: Env) => Promise<ReplicaOptions> = () => Promise.resolve({}),
): { life: Life | undefined } {
  const started: { life: Life | undefined } = { life: undefined };
  const process = world.process(`c${id}`);
  if (process.lives === 0) process.disk.provision('/data');
  process.start(async (env) => {
    started.life = await openReplica(env, id, await options(env));
  });
  return started;
}

/** Three voters agreed on some records; then all were killed. */
export async function disaster(seed: number): Promise<{ world: World; records: string[] }> {
  const world = new World({ seed });
  const nodes = IDS.map((id) => startReplica(world, id));
  const leader = () => nodes.find(({ life }) => life?.claimed !== undefined)?.life;
  await world.runUntil(() => leader() !== undefined, 30_000, 'a leader');
  const records = ['a', 'b', 'c', 'd'];
  for (const record of records) leader()?.quorum.append(leader()?.claimed ?? -1, [Buffer.from(record)]);
  await world.runUntil(() => nodes.every(({ life }) => life?.applied.length === records.length), 30_000, 'all applied');
  await world.runFor(100);
  for (const id of IDS) world.process(`c${id}`).kill();
  return { world, records };
}
