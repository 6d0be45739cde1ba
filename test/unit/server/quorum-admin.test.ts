// The quorum's part of AdminService on whole nodes in a simulated world: describe, change voters, watch the committed log.
import { describe, expect, test } from 'vitest';
import type { RpcClient } from '../../../src/env/network.ts';
import { RpcError } from '../../../src/env/network.ts';
import type { WatchMetadataResponse } from '../../../src/gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition as Admin, VoterChangeError } from '../../../src/gen/kvorum/v1/admin.ts';
import { SimCluster } from './sim-cluster.ts';

async function formed(keys: Readonly<Record<string, string>> = {}): Promise<SimCluster> {
  const cluster = new SimCluster();
  await cluster.startControllers(keys);
  cluster.start('node', { nodeId: 9, isController: false, keys });
  await cluster.ready('node');
  return cluster;
}

function describeQuorum(cluster: SimCluster, host: string) {
  return cluster.ask(host, ({ call }) => call(Admin.methods.describeQuorum, { forwarded: false }));
}

function createTopic(cluster: SimCluster, name: string, via = 'node') {
  const topic = { name, partitions: 1, replicationFactor: 1, configs: {}, assignments: [] };
  return cluster.ask(via, ({ call }) =>
    call(Admin.methods.createTopics, { topics: [topic], validateOnly: false, forwarded: false }),
  );
}

describe('DescribeQuorum', () => {
  test('is the same from every node: the leader’s', async () => {
    const cluster = await formed();
    await cluster.world.runFor(2000);
    const answers = [];
    for (const host of ['c1', 'c2', 'c3', 'node']) answers.push(await describeQuorum(cluster, host));
    const [first] = answers;
    for (const answer of answers) {
      expect(answer).toMatchObject({ fromLeader: true, noLeaderReason: '', answeredBy: first?.leaderId });
      expect(answer.leaderEpoch).toBe(first?.leaderEpoch);
      expect(answer.voters).toMatchObject([
        { nodeId: 1, endpoint: 'c1:9093', lag: 0 },
        { nodeId: 2, endpoint: 'c2:9093', lag: 0 },
        { nodeId: 3, endpoint: 'c3:9093', lag: 0 },
      ]);
      expect(answer.observers).toMatchObject([{ nodeId: 9, endpoint: '', lag: 0 }]);
      expect(answer).toMatchObject({ logStartOffset: 0, latestSnapshotEndOffset: -1 });
      expect(answer.highWatermark).toBe(answer.logEndOffset);
    }
  });

  test('without a leader is what the node knows, and says so', async () => {
    const cluster = await formed();
    cluster.world.process('c2').powerCut();
    cluster.world.process('c3').powerCut();
    await cluster.world.runFor(10_000);
    for (const [host, id] of [
      ['c1', 1],
      ['node', 9],
    ] as const) {
      const answer = await describeQuorum(cluster, host);
      expect(answer).toMatchObject({ fromLeader: false, answeredBy: id, leaderId: -1 });
      expect(answer.noLeaderReason).toContain('no active controller');
      expect(answer.voters.map(({ nodeId }) => nodeId)).toEqual([1, 2, 3]);
      expect(answer.voters.map(({ lag, lastFetchAgeMs }) => [lag, lastFetchAgeMs])).toEqual([
        [-1, -1],
        [-1, -1],
        [-1, -1],
      ]);
    }
  });
});

describe('AddVoter and RemoveVoter', () => {
  function add(cluster: SimCluster, controller: string, via = 'node') {
    return cluster.ask(via, ({ call }) => call(Admin.methods.addVoter, { controller, forwarded: false }));
  }

  function remove(cluster: SimCluster, nodeId: number, directoryId = '', via = 'node') {
    return cluster.ask(via, ({ call }) => call(Admin.methods.removeVoter, { nodeId, directoryId, forwarded: false }));
  }

  test('a controller is replaced by one on a new disk, under the same node id', async () => {
    const cluster = await formed();
    const leader = await cluster.leader();
    const [host] = ['c1', 'c2', 'c3'].filter((other) => other !== leader) as [string];
    const nodeId = Number(host.slice(1));
    const [old] = (await describeQuorum(cluster, 'node')).voters.filter((voter) => voter.nodeId === nodeId);
    cluster.world.process(host).powerCut();
    cluster.start(host, { nodeId, keys: { 'log.dirs': '/new-data' } });
    await cluster.ready(host);
    await cluster.world.runFor(3000);

    const early = await add(cluster, `${host}:9093`);
    expect(early.failure).toMatchObject({ error: VoterChangeError.DUPLICATE_VOTER });
    expect(early.failure?.message).toContain('remove that one first');
    const removed = await remove(cluster, nodeId, old?.directoryId);
    expect(removed).toMatchObject({ failure: undefined, voter: { nodeId, directoryId: old?.directoryId } });
    expect(removed.voters).toHaveLength(2);
    const added = await add(cluster, `${host}:9093`, host);
    expect(added.failure).toBeUndefined();
    expect(added.voters.map((voter) => voter.nodeId)).toEqual([1, 2, 3]);
    expect(added.offset).toBeGreaterThan(removed.offset);
    const after = (await describeQuorum(cluster, host)).voters.find((voter) => voter.nodeId === nodeId);
    expect(after?.directoryId).toBe(added.voter?.directoryId);
    expect(after?.directoryId).not.toBe(old?.directoryId);
    // The new one counts: with the leader gone, the other old one elects together with it.
    cluster.world.process(leader).powerCut();
    cluster.nodes.delete(leader);
    const next = await cluster.leader();
    await cluster.world.runFor(1000);
    expect(await createTopic(cluster, 'after', next)).toMatchObject({ topics: [{ error: undefined }] });
  });

  test('what is asked in vain is told why', async () => {
    const cluster = await formed();
    const leader = await cluster.leader();
    const id = Number(leader.slice(1));
    const nobody = await add(cluster, 'c7:9093');
    expect(nobody.failure).toMatchObject({ error: VoterChangeError.UNREACHABLE });
    expect(nobody.failure?.message).toContain('no answer from a controller at c7:9093');
    const twice = await add(cluster, `${leader}:9093`);
    expect(twice.failure).toMatchObject({ error: VoterChangeError.DUPLICATE_VOTER });
    expect(twice.failure?.message).toMatch(/is a voter already$/);
    expect(twice.offset).toBe(-1);
    const unknown = await remove(cluster, 7);
    expect(unknown.failure).toMatchObject({ error: VoterChangeError.VOTER_NOT_FOUND });
    expect(unknown.failure?.message).toMatch(/^node 7 is not a voter: the voters are 1@\S+, 2@\S+, 3@\S+$/);
    const otherDisk = await remove(cluster, id, 'AAAAAAAAAAAAAAAAAAAAAQ');
    expect(otherDisk.failure).toMatchObject({ error: VoterChangeError.VOTER_NOT_FOUND });
    await expect(remove(cluster, 1, 'x')).rejects.toMatchObject({
      status: 'INVALID_ARGUMENT',
      message: expect.stringContaining('directory_id'),
    });
    await expect(add(cluster, 'nowhere')).rejects.toMatchObject({
      status: 'INVALID_ARGUMENT',
      message: expect.stringContaining("controller is 'nowhere': give host:port"),
    });
    expect((await describeQuorum(cluster, 'c1')).voters).toHaveLength(3);
  });

  test('a controller of another cluster, and one whose address leads elsewhere', async () => {
    const cluster = await formed();
    cluster.start('c4', {
      nodeId: 4,
      clusterId: 'BAAAAAAAAAAAAAAAAAAAAQ',
      keys: { 'controller.quorum.voters': '4@c4:9093', 'controller.quorum.bootstrap.servers': '' },
    });
    cluster.start('c5', { nodeId: 5, keys: { 'advertised.listeners': 'CONTROLLER://c1:9093' } });
    await cluster.ready('c4', 'c5');
    const foreign = await add(cluster, 'c4:9093');
    expect(foreign.failure).toMatchObject({ error: VoterChangeError.WRONG_CLUSTER });
    const elsewhere = await add(cluster, 'c5:9093');
    expect(elsewhere.failure).toMatchObject({ error: VoterChangeError.WRONG_ENDPOINT });
    expect(elsewhere.failure?.message).toContain('node 5 at c5:9093 advertises c1:9093');
    expect(elsewhere.failure?.message).toContain('correct advertised.listeners of node 5');
  });

  test('one that does not follow is not added; without a majority nothing is, and that is known', async () => {
    const cluster = await formed();
    cluster.start('c4', { nodeId: 4 });
    await cluster.ready('c4');
    // It answers, but fetches from nobody.
    void cluster.nodes.get('c4')?.quorum.stop();
    await cluster.world.runFor(10_000);
    const lagging = await add(cluster, 'c4:9093');
    expect(lagging.failure).toMatchObject({ error: VoterChangeError.NOT_CAUGHT_UP });
    expect(lagging.failure?.message).toContain('wait until kvorum quorum describe shows it as an observer without lag');
    const leader = await cluster.leader();
    const [first, second] = ['c1', 'c2', 'c3'].filter((host) => host !== leader) as [string, string];
    cluster.world.process(first).powerCut();
    await cluster.world.runFor(5000);
    const risk = await remove(cluster, Number(second.slice(1)));
    expect(risk.failure).toMatchObject({ error: VoterChangeError.QUORUM_AT_RISK });
    cluster.world.process(second).powerCut();
    const unknown = await remove(cluster, Number(first.slice(1)), '', leader).catch((error: unknown) => error);
    if (unknown instanceof RpcError) expect(unknown.status).toBe('UNAVAILABLE');
    else expect(unknown).toMatchObject({ failure: { error: VoterChangeError.OUTCOME_UNKNOWN } });
  });
});

type Event = NonNullable<WatchMetadataResponse['event']>;

async function watch(
  client: RpcClient,
  fromOffset: number,
  options: { readonly take?: number; readonly follow?: boolean } = {},
): Promise<Event[]> {
  const events: Event[] = [];
  const request = { fromOffset, untilNow: options.follow !== true };
  for await (const { event } of client.stream(Admin, Admin.methods.watchMetadata, request, Number.POSITIVE_INFINITY)) {
    if (event !== undefined) events.push(event);
    if (events.length === options.take) break;
  }
  return events;
}

function offsetsOf(events: readonly Event[]): number[] {
  return events.flatMap((event) => {
    if (event.$case !== 'batch') return [];
    const { baseOffset, records, controlRecords } = event.batch;
    return [...records, ...controlRecords].map((_, i) => baseOffset + i);
  });
}

function kindsOf(events: readonly Event[]): (string | undefined)[] {
  return events.flatMap((event) => {
    if (event.$case === 'snapshotRecords') return event.snapshotRecords.records.map(({ kind }) => kind?.$case);
    if (event.$case !== 'batch') return [event.$case];
    const { records, controlRecords } = event.batch;
    return [...records, ...controlRecords].map(({ kind }) => kind?.$case);
  });
}

describe('WatchMetadata', () => {
  test('brings every committed record once, from whatever offset and node, control records included', async () => {
    const cluster = await formed();
    await createTopic(cluster, 'orders');
    await cluster.world.runFor(2000);
    const all = await cluster.ask('c1', ({ client }) => watch(client, 0));
    const offsets = offsetsOf(all);
    expect(offsets).toEqual(offsets.map((_, i) => i));
    expect(kindsOf(all).slice(0, 3)).toEqual(['leaderChange', 'voters', 'metadataLevel']);
    // The node that passed the call on named it (C-9.1c).
    expect(kindsOf(all).slice(-3)).toEqual(['topic', 'partition', 'command']);
    for (const host of ['c2', 'c3', 'node']) {
      expect(await cluster.ask(host, ({ client }) => watch(client, 0))).toEqual(all);
    }
    // In the middle of a batch, too.
    const from = offsets.length - 1;
    const last = await cluster.ask('node', ({ client }) => watch(client, from));
    expect([offsetsOf(last), kindsOf(last)]).toEqual([[from], ['command']]);
    expect(await cluster.ask('node', ({ client }) => watch(client, from + 1))).toEqual([]);
    expect(await cluster.ask('node', ({ client }) => watch(client, -1))).toEqual([]);
  });

  test('goes on with what is committed later, until the node stops', async () => {
    const cluster = await formed();
    const events: Event[] = [];
    const following = cluster.asking('node', async ({ client }) => {
      const request = { fromOffset: -1, untilNow: false };
      const stream = client.stream(Admin, Admin.methods.watchMetadata, request, Number.POSITIVE_INFINITY);
      for await (const { event } of stream) if (event !== undefined) events.push(event);
    });
    await cluster.world.runFor(1000);
    expect(events).toEqual([]);
    await createTopic(cluster, 'first');
    await createTopic(cluster, 'second');
    await cluster.world.runFor(1000);
    expect(kindsOf(events)).toEqual(['topic', 'partition', 'command', 'topic', 'partition', 'command']);
    void cluster.nodes.get('node')?.stop();
    await cluster.world.runUntil(() => following.isDone, 60_000, 'the stream ends');
    expect(following.value).toMatchObject({ error: { status: 'UNAVAILABLE' } });
  });

  test('begins with a snapshot where the log begins later', async () => {
    const keys = { 'metadata.log.max.record.bytes.between.snapshots': '2000' };
    const cluster = await formed(keys);
    for (let i = 0; i < 60; i++) await createTopic(cluster, `topic-${i}`);
    await cluster.world.runFor(2000);
    const { logStartOffset } = await describeQuorum(cluster, 'c1');
    expect(logStartOffset).toBeGreaterThan(0);
    const events = await cluster.ask('node', ({ client }) => watch(client, 0));
    const [head] = events;
    if (head?.$case !== 'snapshot') throw new Error(`the first event is ${head?.$case}`);
    expect(head.snapshot.voters.map(({ endpoint }) => endpoint)).toEqual(['c1:9093', 'c2:9093', 'c3:9093']);
    const parts = events.flatMap((event) => (event.$case === 'snapshotRecords' ? [event.snapshotRecords.last] : []));
    expect(parts.lastIndexOf(true)).toBe(parts.length - 1);
    expect(parts.indexOf(true)).toBe(parts.length - 1);
    expect(offsetsOf(events)[0] ?? head.snapshot.endOffset).toBe(head.snapshot.endOffset);
    // State and log together are all topics, each once.
    const topics = kindsOf(events).filter((kind) => kind === 'topic');
    expect(topics).toHaveLength(60);
    const { logStartOffset: own } = cluster.nodes.get('node')?.quorum.describe() ?? { logStartOffset: -1 };
    const fromLog = await cluster.ask('node', ({ client }) => watch(client, own));
    expect(fromLog[0]?.$case).toBe('batch');
    expect(offsetsOf(fromLog)[0]).toBe(own);
  });

  test('a malformed offset is named', async () => {
    const cluster = await formed();
    await expect(cluster.ask('node', ({ client }) => watch(client, -2))).rejects.toMatchObject({
      status: 'INVALID_ARGUMENT',
      message: 'from_offset is -2: give an offset >= 0, or -1 for the end',
    });
  });

  test('a node that never heard of a leader says so', async () => {
    const cluster = new SimCluster();
    await cluster.startControllers();
    await cluster.leader();
    await cluster.world.runFor(2000);
    for (const host of ['c1', 'c2', 'c3']) cluster.world.process(host).powerCut();
    cluster.start('c1', { nodeId: 1 });
    await cluster.ready('c1');
    await expect(cluster.ask('c1', ({ client }) => watch(client, 0))).rejects.toMatchObject({
      status: 'UNAVAILABLE',
      message: expect.stringContaining('does not know what is committed'),
    });
  });
});
