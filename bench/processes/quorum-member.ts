// One voter of a metadata quorum, as a node has it, with real disk and network but nothing on top, so that commits can be timed
// where they happen. Configured and commanded over the IPC channel of its parent: see MemberCommand and MemberReport.
import { once } from 'node:events';
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Offset } from '../../src/base/ids.ts';
import type { CommittedBatch } from '../../src/quorum/state-machine.ts';
import { built } from '../harness/built.ts';
import { percentile } from '../harness/statistics.ts';

export interface MemberOptions {
  readonly nodeId: number;
  readonly directory: string;
  /** By node id, starting at 1. */
  readonly ports: readonly number[];
}

export type MemberCommand = { readonly type: 'measure'; readonly seconds: number };

/** Microseconds, and operations per second. */
export interface CommitResult {
  readonly commit: Latency;
  readonly sync: Latency;
  readonly roundTrip: Latency;
  /** With many records outstanding. */
  readonly perSecond: number;
  /** Microseconds of processor time of the leader for each of those. */
  readonly cpuPerCommit: number;
}

export interface Latency {
  readonly p50: number;
  readonly p99: number;
}

export type MemberReport =
  | { readonly type: 'leader' }
  | { readonly type: 'result'; readonly result: CommitResult }
  | { readonly type: 'failed'; readonly reason: string };

const RECORD = Buffer.alloc(256, 'x');
const OUTSTANDING = 512;
const CALL_TIMEOUT_MS = 5000;
const WARM_UP_SECONDS = 1;

const options = JSON.parse(process.argv[2] ?? '') as MemberOptions;
const { createEnv } = await built<typeof import('../../src/node/env.ts')>('node/env.js');
const { Quorum } = await built<typeof import('../../src/quorum/quorum.ts')>('quorum/quorum.js');
const { createDurableEnd } = await built<typeof import('../../src/quorum/durable-end.ts')>('quorum/durable-end.js');
const { endpointOf } = await built<typeof import('../../src/quorum/peers.ts')>('quorum/peers.js');
const { discoveryService } = await built<typeof import('../../src/server/voters.ts')>('server/voters.js');
const { DiscoveryServiceDefinition } =
  await built<typeof import('../../src/gen/kvorum/v1/raft.ts')>('gen/kvorum/v1/raft.js');

function report(message: MemberReport): void {
  process.send?.(message);
}

const HOST = '127.0.0.1';
const CLUSTER_ID = 'YmVuY2gtcXVvcnVtLWNsdQ';
const DIRECTORY_IDS = ['AAAAAAAAAAAAAAAAAAAAAQ', 'AAAAAAAAAAAAAAAAAAAAAg', 'AAAAAAAAAAAAAAAAAAAAAw'];
const replica = { id: options.nodeId, directoryId: DIRECTORY_IDS[options.nodeId - 1] ?? '' };
const addresses = new Map(options.ports.map((port, i) => [i + 1, { host: HOST, port }]));

const env = createEnv({ level: 'error' });
await env.disk.makeDirectory(options.directory);
await createDurableEnd(env.disk, options.directory);
const quorum = await Quorum.open(env, {
  directory: options.directory,
  endpoint: '',
  snapshots: { maxBytes: 4 * 1024 * 1024, maxIntervalMs: 0 },
  raft: {
    clusterId: CLUSTER_ID,
    replica,
    // As by default: a machine that is busy measuring must not lose its leader.
    electionTimeoutMs: 1000,
    fetchTimeoutMs: 2000,
    requestTimeoutMs: 2000,
    retryBackoffMs: 20,
    fetchMaxWaitMs: 500,
    snapshotChunkBytes: 256 * 1024,
    fetchMaxBytes: 1024 * 1024,
  },
  findVoters: () => Promise.resolve(addresses),
  fatal: (reason) => report({ type: 'failed', reason }),
});
const own = addresses.get(options.nodeId) ?? { host: HOST, port: 0 };
await env.network.serve(own, [
  quorum.service,
  discoveryService({ clusterId: CLUSTER_ID, replica }, { endpoint: () => endpointOf(own), voters: () => [] }),
]);

let leading = -1;
/** Called with the end of each committed batch. */
let committed: (endOffset: Offset) => void = () => {};
quorum.start({
  apply: ({ endOffset }: CommittedBatch) => committed(endOffset),
  load: async () => {},
  snapshot: () => [],
  claim: (epoch) => {
    leading = epoch;
    report({ type: 'leader' });
  },
  renounce: () => {
    leading = -1;
  },
  leaderChanged: () => {},
});

function append(): Offset {
  const appended = quorum.append(leading, [RECORD]);
  if (appended === undefined) throw new Error('the leadership was lost');
  return appended.lastOffset;
}

function latency(microseconds: readonly number[]): Latency {
  return { p50: percentile(microseconds, 50), p99: percentile(microseconds, 99) };
}

/** Repeats `operation`, one after the other, for so long. */
async function time(seconds: number, operation: () => Promise<unknown>): Promise<Latency> {
  const microseconds: number[] = [];
  const endMs = performance.now() + seconds * 1000;
  for (let before = performance.now(); before < endMs; before = performance.now()) {
    await operation();
    microseconds.push((performance.now() - before) * 1000);
  }
  return latency(microseconds);
}

/** From the append to the apply. */
function commitOne(): Promise<void> {
  return new Promise((resolve) => {
    let lastOffset = Number.POSITIVE_INFINITY;
    committed = (endOffset) => {
      if (endOffset > lastOffset) resolve();
    };
    lastOffset = append();
  });
}

/** Commits per second, and what each costs, with so many records on their way at any time. */
function throughput(seconds: number): Promise<{ perSecond: number; cpuPerCommit: number }> {
  return new Promise((resolve, reject) => {
    const startedMs = performance.now();
    const cpuBefore = process.cpuUsage();
    let first = -1;
    let outstanding = 0;
    const fill = (): void => {
      for (; outstanding < OUTSTANDING; outstanding++) {
        const offset = append();
        if (first < 0) first = offset;
      }
    };
    let next = -1;
    committed = (endOffset) => {
      outstanding -= endOffset - Math.max(first, next);
      next = endOffset;
      const tookMs = performance.now() - startedMs;
      try {
        if (tookMs < seconds * 1000) fill();
        else if (outstanding === 0) {
          const commits = endOffset - first;
          const { user, system } = process.cpuUsage(cpuBefore);
          resolve({ perSecond: (commits / tookMs) * 1000, cpuPerCommit: (user + system) / commits });
        }
      } catch (error) {
        reject(error);
      }
    };
    fill();
  });
}

async function syncOnce(file: fs.promises.FileHandle): Promise<void> {
  await file.write(RECORD);
  await file.datasync();
}

async function measure(seconds: number): Promise<CommitResult> {
  const peer = [...addresses].find(([id]) => id !== options.nodeId)?.[1] ?? own;
  const client = env.network.client(peer);
  const { identify } = DiscoveryServiceDefinition.methods;
  const callOnce = () => client.call(DiscoveryServiceDefinition, identify, {}, CALL_TIMEOUT_MS);
  const file = await fs.promises.open(join(options.directory, 'raw'), 'w');
  for (const operation of [callOnce, () => syncOnce(file), commitOne]) await time(WARM_UP_SECONDS, operation);
  const sync = await time(seconds, () => syncOnce(file));
  const roundTrip = await time(seconds, callOnce);
  const commit = await time(seconds, commitOne);
  const outstanding = await throughput(seconds);
  await file.close();
  client.close();
  return { commit, sync, roundTrip, ...outstanding };
}

process.on('message', (command: MemberCommand) => {
  measure(command.seconds).then(
    (result) => report({ type: 'result', result }),
    (error: unknown) => report({ type: 'failed', reason: String(error) }),
  );
});
await once(process, 'SIGTERM');
process.exit(0);
