// The quorum of six processes as an operator sees it: describe and watch it from anywhere, replace a controller whose disk died,
// read what is on the disks. The steps of the replacement are those of "Replacing a controller" in README.md.
import { appendFileSync, copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { DescribeQuorumResponse } from '../../src/gen/kvorum/v1/admin.ts';
import type { Message } from './grpc-tool.ts';
import { GrpcTool } from './grpc-tool.ts';
import type { NodeFile, SixNodes } from './kvorum.ts';
import { clusterServes, copyDeployment, kvorum, kvorumOk, startNode } from './kvorum.ts';
import type { Process } from './processes.ts';
import { cleanUp, eventually, freePorts, temporaryFolder } from './processes.ts';

const ADMIN = 'kvorum.v1.AdminService';
const SNAPSHOT_BYTES = 4000;

let six: SixNodes;
/** The six, and who joins later. */
const nodes: NodeFile[] = [];
let clusterId: string;
const processes = new Map<number, Process>();

beforeAll(async () => {
  six = await copyDeployment();
  nodes.push(...six.nodes);
  for (const { path } of nodes) {
    appendFileSync(path, `\nmetadata.log.max.record.bytes.between.snapshots=${SNAPSHOT_BYTES}\n`);
  }
  clusterId = (await kvorumOk(['random-id'])).trim();
  for (const node of six.nodes) await format(node);
  for (const node of six.nodes) start(node);
  await clusterServes(six.servers[0] as string, 3);
});
afterAll(cleanUp);

function format({ path }: NodeFile): Promise<string> {
  return kvorumOk(['format', '--cluster-id', clusterId, '--config', path]);
}

function start(node: NodeFile): void {
  processes.set(node.nodeId, startNode(node.path));
}

async function end(nodeId: number, signal: NodeJS.Signals): Promise<void> {
  const process = processes.get(nodeId) as Process;
  process.kill(signal);
  await process.ended();
}

function node(nodeId: number): NodeFile {
  return nodes.find((it) => it.nodeId === nodeId) as NodeFile;
}

/** Its gRPC address, for --server. */
function serverOf(nodeId: number): string {
  const listener = node(nodeId).isController ? 'CONTROLLER' : 'GRPC';
  const text = readFileSync(node(nodeId).path, 'utf8');
  return new RegExp(`^listeners=.*${listener}://([^,\\s]+)`, 'm').exec(text)?.[1] ?? '';
}

async function describeQuorum(nodeId: number): Promise<DescribeQuorumResponse> {
  const text = await kvorumOk(['quorum', 'describe', '--format', 'json', '--server', serverOf(nodeId)]);
  return JSON.parse(text) as DescribeQuorumResponse;
}

async function createTopics(prefix: string, count: number, server = serverOf(4)): Promise<void> {
  const names = Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
  await kvorumOk(['topic', 'create', ...names, '--partitions', '2', '--server', server]);
}

function lines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

it('is described by every node as its leader sees it', async () => {
  const answers = await eventually('all have caught up', async () => {
    const all = await Promise.all(six.nodes.map(({ nodeId }) => describeQuorum(nodeId)));
    const replicas = all.flatMap(({ voters, observers }) => [...voters, ...observers]);
    return replicas.length === 36 && replicas.every(({ lag }) => lag === 0) ? all : undefined;
  });
  for (const answer of answers) {
    expect(answer).toMatchObject({ fromLeader: true, leaderId: answers[0]?.leaderId });
    expect(answer.voters.map(({ nodeId, endpoint }) => [nodeId, endpoint])).toEqual(
      [1, 2, 3].map((id) => [id, serverOf(id)]),
    );
    expect(answer.observers.map(({ nodeId }) => nodeId)).toEqual([4, 5, 6]);
  }
  const text = await kvorumOk(['quorum', 'describe', '--server', serverOf(5)]);
  expect(text).toMatch(/^leader [123], epoch \d+, high watermark \d+$/m);
  expect(text).toMatch(/^ROLE +ID +DIRECTORY +ENDPOINT +LOG END +LAG +LAST FETCH +LAST CAUGHT UP$/m);
  expect(text.match(/^(leader|voter|observer) +\d +[\w-]{22} /gm)).toHaveLength(6);
});

it('shows its log to the command line and to any gRPC tool alike, and as it grows', async () => {
  const text = await kvorumOk(['metadata', 'tail', '--format', 'json', '--server', serverOf(6)]);
  const records = lines(text).filter(({ type }) => type === 'record');
  const offsets = records.map(({ offset }) => offset as number);
  expect(offsets).toEqual(offsets.map((_, i) => (offsets[0] as number) + i));
  expect(records.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['registerBroker', 'brokerChange']));

  const follower = new GrpcTool(serverOf(4));
  const from = (offsets.at(-1) as number) + 1;
  const seen: Message[] = [];
  const following = (async () => {
    for await (const message of follower.stream(ADMIN, 'WatchMetadata', { from_offset: from })) {
      seen.push(message['batch'] as Message);
      if (JSON.stringify(message).includes('watched-0')) break;
    }
  })();
  await createTopics('watched', 1, serverOf(1));
  await following;
  follower.close();
  expect(seen[0]?.['base_offset']).toBe(from);
  const kinds = seen.flatMap((batch) => (batch['records'] as Message[]).map((record) => Object.keys(record)));
  expect(kinds.flat()).toEqual(expect.arrayContaining(['topic', 'partition']));
  const human = await kvorumOk(['metadata', 'tail', '--from', String(from), '--server', serverOf(2)]);
  expect(human).toMatch(new RegExp(`^ +${from} +\\d+ +[\\dTZ:.-]+ +topic +name=watched-0 topicId=`, 'm'));
});

it('is snapshotted and trimmed, and its snapshots can be read', async () => {
  await createTopics('many', 60);
  await eventually('the leader has trimmed its log', async () => {
    const { logStartOffset } = await describeQuorum(4);
    return logStartOffset > 0 ? true : undefined;
  });
  const tail = lines(await kvorumOk(['metadata', 'tail', '--format', 'json', '--server', serverOf(4)]));
  expect(tail[0]).toMatchObject({ type: 'snapshot' });
  const topics = tail.filter(({ kind }) => kind === 'topic');
  expect(topics).toHaveLength(61);

  const folder = join(node(1).dataDir, 'snapshots');
  const shown = await kvorumOk(['metadata', 'snapshot', '--dir', node(1).dataDir]);
  expect(shown).toMatch(/^voters: 1@\S+ \(directory \S+\), 2@.*, 3@/m);
  expect(shown).toMatch(/records, complete and intact\n$/);
  const name = readdirSync(folder).findLast((file) => file.endsWith('.checkpoint')) as string;
  const copy = join(temporaryFolder(), name);
  copyFileSync(join(folder, name), copy);
  const bytes = readFileSync(copy);
  bytes.writeUInt8(bytes.readUInt8(300) ^ 0xff, 300);
  writeFileSync(copy, bytes);
  const damaged = await kvorum(['metadata', 'snapshot', copy]);
  expect(damaged.code).toBe(1);
  expect(damaged.stderr).toMatch(/^kvorum: the snapshot \S+ cannot be used: .* at byte \d+/);
});

it('gets a controller with a new disk in the place of one whose disk died', async () => {
  const { leaderId, voters } = await describeQuorum(4);
  const lost = [1, 2, 3].findLast((id) => id !== leaderId) as number;
  const oldDirectory = voters.find(({ nodeId }) => nodeId === lost)?.directoryId as string;

  await end(lost, 'SIGKILL');
  rmSync(node(lost).dataDir, { recursive: true });
  await format(node(lost));
  start(node(lost));
  const observer = await eventually('it follows as an observer without lag', async () => {
    const { observers } = await describeQuorum(4);
    return observers.find(({ nodeId, lag }) => nodeId === lost && lag === 0);
  });
  expect(observer.directoryId).not.toBe(oldDirectory);
  // Its log cannot be as long as that: it began with a snapshot.
  const own = lines(await kvorumOk(['metadata', 'tail', '--format', 'json', '--server', serverOf(lost)]));
  expect(own[0]).toMatchObject({ type: 'snapshot' });

  const removed = await kvorumOk([
    'quorum',
    'remove-voter',
    '--voter',
    `${lost}@${oldDirectory}`,
    '--server',
    serverOf(4),
  ]);
  expect(removed).toContain(`node ${lost} (directory ${oldDirectory}) is no voter any more`);
  const added = await kvorumOk(['quorum', 'add-voter', '--controller', serverOf(lost), '--server', serverOf(4)]);
  expect(added).toContain(`node ${lost} (directory ${observer.directoryId}) is a voter now`);

  // The new one counts: two of three are enough, whichever.
  await end(leaderId, 'SIGKILL');
  await eventually('another controller leads', async () => {
    const answer = await kvorum(['quorum', 'describe', '--format', 'json', '--server', serverOf(5)]);
    const { fromLeader, leaderId: now } = JSON.parse(answer.stdout) as DescribeQuorumResponse;
    return fromLeader && now !== leaderId ? true : undefined;
  });
  await createTopics('replaced', 1, serverOf(5));
  const tail = lines(await kvorumOk(['metadata', 'tail', '--format', 'json', '--server', serverOf(lost)]));
  expect(tail.filter(({ kind }) => kind === 'topic')).toHaveLength(62);
  const changes = tail.filter(({ kind, type }) => kind === 'voters' && type === 'record');
  expect(changes.length).toBeGreaterThanOrEqual(2);
  start(node(leaderId));
});

it('gets a controller on another machine in the place of one that is gone, and nobody else restarts', async () => {
  const { leaderId, voters } = await eventually('all voters are there', async () => {
    const answer = await describeQuorum(4);
    return answer.voters.every(({ lag, lastFetchAgeMs }) => lag === 0 && lastFetchAgeMs >= 0) ? answer : undefined;
  });
  const lost = [1, 2, 3].find((id) => id !== leaderId) as number;
  const others = voters.flatMap(({ nodeId, endpoint }) => (nodeId === lost ? [] : [endpoint]));
  await end(lost, 'SIGKILL');

  const [port] = await freePorts(1);
  const folder = temporaryFolder();
  const seven = { nodeId: 7, isController: true, path: join(folder, '7.properties'), dataDir: join(folder, 'data') };
  const lines = [
    'process.roles=controller',
    'node.id=7',
    // The one that is gone may be among them.
    `controller.quorum.bootstrap.servers=${serverOf(lost)},${others.join(',')}`,
    'controller.listener.names=CONTROLLER',
    `listeners=CONTROLLER://127.0.0.1:${port}`,
    `log.dirs=${seven.dataDir}`,
  ];
  writeFileSync(seven.path, lines.join('\n'));
  nodes.push(seven);
  await format(seven);
  start(seven);
  await eventually('it follows as an observer without lag', async () => {
    const { observers } = await describeQuorum(4);
    return observers.find(({ nodeId, lag }) => nodeId === 7 && lag === 0);
  });
  await kvorumOk(['quorum', 'add-voter', '--controller', serverOf(7), '--server', serverOf(4)]);
  await kvorumOk(['quorum', 'remove-voter', '--voter', String(lost), '--server', serverOf(4)]);
  for (const nodeId of [7, 5]) {
    const now = await describeQuorum(nodeId);
    expect(now.voters.map((voter) => voter.nodeId)).toEqual([1, 2, 3, 7].filter((id) => id !== lost));
    expect(now.voters.find((voter) => voter.nodeId === 7)?.endpoint).toBe(serverOf(7));
  }
  // Brokers whose configuration does not name it find it when it leads, and count it when they look for a majority.
  await end(leaderId, 'SIGKILL');
  await createTopics('elsewhere', 1, serverOf(6));
  start(node(leaderId));
});

it('says what cannot be done, and what to do', async () => {
  const failing = async (args: readonly string[]) => {
    const { code, stderr } = await kvorum(args);
    expect(stderr).not.toContain('    at ');
    return { code, stderr };
  };
  const at = ['--server', serverOf(4)];
  expect(await failing(['quorum', 'add-voter', '--controller', 'x', ...at])).toEqual({
    code: 1,
    stderr: "kvorum: controller is 'x': give host:port, for example 127.0.0.1:9093\n",
  });
  expect((await failing(['quorum', 'add-voter', '--controller', serverOf(7), ...at])).stderr).toContain(
    'is a voter already',
  );
  expect((await failing(['quorum', 'remove-voter', '--voter', '9', ...at])).stderr).toMatch(
    /node 9 is not a voter: the voters are \d@/,
  );
  expect(await failing(['quorum', 'remove-voter', '--voter', 'three', ...at])).toMatchObject({ code: 2 });
  expect(await failing(['metadata', 'tail', '--from', 'now', ...at])).toMatchObject({ code: 2 });
  const locked = await failing(['metadata', 'dump', '--dir', node(5).dataDir]);
  expect(locked).toMatchObject({ code: 1, stderr: expect.stringContaining('LOCKED: the node that owns') });
  const nothing = await failing(['metadata', 'dump', '--dir', temporaryFolder()]);
  expect(nothing).toMatchObject({ code: 1, stderr: expect.stringContaining('--dir takes metadata.log.dir') });
});

it('without a majority, is described as far as the asked node knows it, and dumped from disk', async () => {
  const { leaderId, voters } = await describeQuorum(4);
  const [first, second] = voters.flatMap(({ nodeId }) => (nodeId === leaderId ? [] : [nodeId])) as [number, number];
  await end(first, 'SIGTERM');
  await end(second, 'SIGTERM');
  for (const nodeId of [leaderId, 6]) {
    const described = await eventually('the leader has resigned', async () => {
      const answer = await kvorum(['quorum', 'describe', '--server', serverOf(nodeId)]);
      return answer.code === 1 ? answer : undefined;
    });
    expect(described.stdout).toContain(`NO LEADER ANSWERS. What node ${nodeId} itself knows:`);
    expect(described.stderr).toContain('no leader describes the quorum');
    const cluster = await eventually('nobody is active', async () => {
      const answer = await kvorum(['cluster', 'describe', '--server', serverOf(nodeId)]);
      return answer.code === 1 ? answer : undefined;
    });
    expect(cluster.stdout).toContain('active controller none of');
    expect(cluster.stderr).toContain('reaches no active controller');
  }

  const dump = await kvorumOk(['metadata', 'dump', '--dir', node(first).dataDir]);
  expect(dump).toMatch(new RegExp(`^cluster ${clusterId}, node ${first}, directory`));
  expect(dump).toMatch(/^quorum state: epoch \d+/m);
  expect(dump).toMatch(/^snapshot \d+-\d+: \d+ bytes$/m);
  expect(dump).toMatch(/^log \d+ to \d+/m);
  const dumped = lines(await kvorumOk(['metadata', 'dump', '--format', 'json', '--dir', node(first).dataDir]));
  const offsets = dumped.filter(({ type }) => type === 'record').map(({ offset }) => offset as number);
  expect(offsets).toEqual(offsets.map((_, i) => (offsets[0] as number) + i));
  expect(dumped.at(-1)).toMatchObject({
    type: 'log',
    logStartOffset: offsets[0],
    logEndOffset: (offsets.at(-1) ?? 0) + 1,
  });
});
