// How long a record takes to be committed by three voters on this machine, beside one write with fdatasync and two gRPC calls; and
// how long the whole way takes that an administrator sees, creating topics one by one on three controllers and a broker.
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { built } from '../harness/built.ts';
import { connectWhenServed, freePorts, startSeparately } from '../harness/kvorum.ts';
import type { BenchOptions, Build } from '../harness/options.ts';
import type { Scope } from '../harness/scope.ts';
import { withScope } from '../harness/scope.ts';
import { digits, percentile } from '../harness/statistics.ts';
import { printTable } from '../harness/table.ts';
import type { CommitResult, Latency, MemberCommand, MemberOptions, MemberReport } from '../processes/quorum-member.ts';
import type { Part } from './part.ts';

const MEMBER = join(import.meta.dirname, '../processes/quorum-member.ts');
const TIMEOUT_MS = 10_000;

/** Starts three voters and has the first that leads measure. */
async function measureQuorum(scope: Scope, seconds: number): Promise<CommitResult> {
  const ports = await freePorts(3);
  const folder = scope.folder();
  return new Promise((resolve, reject) => {
    let measuring = false;
    for (let nodeId = 1; nodeId <= ports.length; nodeId++) {
      const options: MemberOptions = { nodeId, directory: join(folder, String(nodeId)), ports };
      const child = fork(MEMBER, [JSON.stringify(options)], { execArgv: ['--import', 'tsx'] });
      scope.adopt(child);
      child.once('exit', (code) => reject(new Error(`voter ${nodeId} ended with ${code}`)));
      child.on('message', (report: MemberReport) => {
        if (report.type === 'failed') reject(new Error(`voter ${nodeId}: ${report.reason}`));
        else if (report.type === 'result') resolve(report.result);
        else if (!measuring) {
          measuring = true;
          child.send({ type: 'measure', seconds } satisfies MemberCommand);
        }
      });
    }
  });
}

interface TopicLatency {
  readonly direct: Latency;
  readonly throughBroker: Latency;
}

/** Microseconds of AdminService.CreateTopics for one topic with one partition, one call after the other. */
async function measureTopics(scope: Scope, build: Build, seconds: number): Promise<TopicLatency> {
  const { controllers, brokers } = await startSeparately(scope, build);
  const [broker] = brokers;
  if (broker === undefined) throw new Error('no broker');
  (await connectWhenServed(broker.port)).close();
  const { createEnv } = await built<typeof import('../../src/node/env.ts')>('node/env.js');
  const { ControllerChannel } =
    await built<typeof import('../../src/client/controller-channel.ts')>('client/controller-channel.js');
  const { AdminServiceDefinition } =
    await built<typeof import('../../src/gen/kvorum/v1/admin.ts')>('gen/kvorum/v1/admin.js');
  const env = createEnv({ level: 'error' });
  const addresses = controllers.map(({ nodeId, port }) => ({ id: nodeId, address: { host: '127.0.0.1', port } }));
  const channel = new ControllerChannel(env, addresses);
  const client = env.network.client({ host: '127.0.0.1', port: broker.grpcPort });
  scope.defer(() => channel.close());
  scope.defer(() => client.close());
  const { createTopics } = AdminServiceDefinition.methods;
  let count = 0;
  const create = async (by: Pick<typeof client, 'call'>): Promise<void> => {
    const name = `topic-${count++}`;
    const topic = { name, partitions: 1, replicationFactor: 1, assignments: [], configs: {} };
    const request = { topics: [topic], validateOnly: false, forwarded: false };
    const answer = await by.call(AdminServiceDefinition, createTopics, request, TIMEOUT_MS);
    const error = answer.topics[0]?.error;
    if (error !== undefined) throw new Error(`topic ${name}: ${error.message}`);
  };
  // As long again before, to warm up.
  await time(seconds, () => create(channel));
  const direct = await time(seconds, () => create(channel));
  await time(seconds, () => create(client));
  return { direct, throughBroker: await time(seconds, () => create(client)) };
}

async function time(seconds: number, operation: () => Promise<void>): Promise<Latency> {
  const microseconds: number[] = [];
  const endMs = performance.now() + seconds * 1000;
  for (let before = performance.now(); before < endMs; before = performance.now()) {
    await operation();
    microseconds.push((performance.now() - before) * 1000);
  }
  return { p50: percentile(microseconds, 50), p99: percentile(microseconds, 99) };
}

function row(name: string, { p50, p99 }: Latency, limit: number): string[] {
  return [name, digits(p50), digits(p99), digits(p50 / limit)];
}

async function run(options: BenchOptions): Promise<void> {
  const quorum = await withScope(options.dir, (scope) => measureQuorum(scope, options.seconds));
  const topics: [string, Latency][] = [];
  for (const build of options.builds) {
    const latency = await withScope(options.dir, (scope) => measureTopics(scope, build, options.seconds));
    topics.push([`${build.name}: create a topic`, latency.direct], ['  through a broker', latency.throughBroker]);
  }
  // A record has to be written and to travel twice: to a follower, and back as its next fetch offset.
  const limit = quorum.sync.p50 + 2 * quorum.roundTrip.p50;
  printTable(
    'commit, three voters, 256-byte records, one after the other',
    ['', 'p50 µs', 'p99 µs', 'of limit'],
    [
      row('write + fdatasync', quorum.sync, limit),
      row('gRPC call', quorum.roundTrip, limit),
      row('append to apply', quorum.commit, limit),
      ...topics.map(([name, latency]) => row(name, latency, limit)),
    ],
  );
  console.log(
    `  512 outstanding: ${digits(quorum.perSecond)} commits/s, ${digits(quorum.cpuPerCommit)} µs of the leader's CPU each`,
  );
}

export const commit: Part = { name: 'commit', run };
