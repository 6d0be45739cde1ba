// Nodes that must not start, or not go on: each says why and what to do, in one sentence on standard error, and exits with 1.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterServes, kvorum, kvorumOk, startNode } from './kvorum.ts';
import { cleanUp, freePorts, temporaryFolder } from './processes.ts';

/** One process that is the whole cluster, and gets company that it must not keep. */
const only = { id: 1, kafka: 0, controller: 0, grpc: 0, folder: '', file: '', clusterId: '' };

type Keys = Readonly<Record<string, string>>;

/** A configuration file of its own folder. */
function configFile(name: string, keys: Keys): { file: string; folder: string } {
  const parent = temporaryFolder();
  const folder = join(parent, name);
  const file = join(parent, `${name}.properties`);
  const all: Keys = {
    'controller.quorum.voters': `1@127.0.0.1:${only.controller}`,
    'log.dirs': folder,
    'timing.profile': 'dev',
    ...keys,
  };
  const lines = Object.entries(all).map(([key, value]) => `${key}=${value}\n`);
  writeFileSync(file, lines.join(''));
  return { file, folder };
}

/** A broker that could join the cluster. */
function broker(id: number, keys: Keys = {}): { file: string; folder: string } {
  return configFile(`broker-${id}`, {
    'process.roles': 'broker',
    'node.id': String(id),
    listeners: 'PLAINTEXT://127.0.0.1:0,GRPC://127.0.0.1:0',
    ...keys,
  });
}

async function format(file: string, clusterId = only.clusterId): Promise<void> {
  await kvorumOk(['format', '--cluster-id', clusterId, '--config', file]);
}

async function refused(file: string): Promise<string> {
  const { code, stdout, stderr } = await startNode(file).ended(20_000);
  expect({ code, stdout }, stderr).toEqual({ code: 1, stdout: '' });
  return stderr;
}

/** Exactly one line, which begins with the program's name. */
function sentence(...parts: string[]): RegExp {
  const escaped = parts.map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^kvorum: [^\\n]*${escaped.join('[^\\n]*')}[^\\n]*\\n$`);
}

function changeMeta(folder: string, from: RegExp, to: string): void {
  const path = join(folder, 'meta.properties');
  const before = readFileSync(path, 'utf8');
  const after = before.replace(from, to);
  expect(after).not.toBe(before);
  writeFileSync(path, after);
}

beforeAll(async () => {
  const [kafka, controller, grpc] = (await freePorts(3)) as [number, number, number];
  Object.assign(only, { kafka, controller, grpc, clusterId: (await kvorumOk(['random-id'])).trim() });
  const listeners = `PLAINTEXT://127.0.0.1:${kafka},CONTROLLER://127.0.0.1:${controller},GRPC://127.0.0.1:${grpc}`;
  Object.assign(only, configFile('only', { 'process.roles': 'controller,broker', 'node.id': '1', listeners }));
  await format(only.file);
  startNode(only.file);
  await clusterServes(server(), 1);
});
afterAll(cleanUp);

function server(): string {
  return `127.0.0.1:${only.grpc}`;
}

async function brokersOfCluster(): Promise<number[]> {
  return (await clusterServes(server(), 1)).brokers.map(({ brokerId }) => brokerId);
}

describe('a folder is refused', () => {
  it('that is not formatted', async () => {
    const { file, folder } = broker(7);
    expect(await refused(file)).toMatch(sentence(`${folder} is not formatted`, "run 'kvorum format'"));
    mkdirSync(folder);
    expect(await refused(file)).toMatch(sentence(`${folder} is not formatted`, "run 'kvorum format'"));
  });

  it('of another node', async () => {
    const { file, folder } = broker(7);
    await format(file);
    changeMeta(folder, /^node\.id=7$/m, 'node.id=8');
    const said = sentence(`${folder} belongs to node 8, not to node 7`, 'correct node.id or log.dirs');
    expect(await refused(file)).toMatch(said);
    const formatAgain = await kvorum(['format', '--cluster-id', only.clusterId, '--config', file]);
    expect(formatAgain).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(said) });
  });

  it('of another cluster than the first one', async () => {
    const first = broker(7);
    await format(first.file);
    const other = broker(7);
    await format(other.file, (await kvorumOk(['random-id'])).trim());
    const both = broker(7, { 'log.dirs': `${first.folder},${other.folder}` });
    expect(await refused(both.file)).toMatch(sentence(`${other.folder} belongs to cluster`, 'set log.dirs to'));
  });

  it('that a newer release wrote, or nobody can read', async () => {
    const { file, folder } = broker(7);
    await format(file);
    changeMeta(folder, /^version=1$/m, 'version=2');
    expect(await refused(file)).toMatch(sentence('meta.properties has version 2', 'start the release that wrote it'));
    changeMeta(folder, /^directory\.id=.*$/m, 'directory.id=?');
    changeMeta(folder, /^version=2$/m, 'version=1');
    expect(await refused(file)).toMatch(sentence('meta.properties cannot be understood: directory.id', 'restore'));
  });

  it('that another process uses', async () => {
    const text = readFileSync(only.file, 'utf8').replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:0');
    const file = join(temporaryFolder(), 'second.properties');
    const [port] = await freePorts(1);
    writeFileSync(file, text.replace(/^(controller\.quorum\.voters=1@127\.0\.0\.1:)0$/m, `$1${port}`));
    expect(await refused(file)).toMatch(sentence(only.folder, 'another process uses it: stop that one'));
    expect(await brokersOfCluster()).toEqual([1]);
  });

  it('by format, when it is of another cluster', async () => {
    const other = (await kvorumOk(['random-id'])).trim();
    expect(await kvorum(['format', '--cluster-id', other, '--config', only.file])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(sentence(`belongs to cluster ${only.clusterId}, not to ${other}`, 'log.dirs')),
    });
  });
});

describe('a port is refused that is taken', () => {
  it.for(['kafka', 'grpc', 'controller'] as const)('%s', async (kind) => {
    const at = `127.0.0.1:${only[kind]}`;
    const listeners = {
      kafka: `PLAINTEXT://${at},GRPC://127.0.0.1:0`,
      grpc: `PLAINTEXT://127.0.0.1:0,GRPC://${at}`,
      controller: `CONTROLLER://${at}`,
    }[kind];
    const voters = { 'controller.quorum.voters': `7@${at}` };
    const keys = kind === 'controller' ? { 'process.roles': 'controller', listeners, ...voters } : { listeners };
    const { file } = broker(7, keys);
    await format(file);
    const said = sentence(
      `cannot listen on ${at}`,
      'another process listens there: stop that one, or change listeners',
    );
    expect(await refused(file)).toMatch(said);
  });
});

describe('a configuration is refused', () => {
  it('with every mistake in it, and the nearest name of an unknown key', async () => {
    const { file } = broker(7, { 'num.partitons': '3', 'log.segment.bytes': 'big', listenrs: 'x' });
    const said = await refused(file);
    expect(said).toContain('num.partitons is not a key of Kvorum or Kafka; the nearest is num.partitions');
    expect(said).toContain('listenrs is not a key of Kvorum or Kafka; the nearest is listeners');
    expect(said).toContain('log.segment.bytes');
    expect(said).not.toContain('    at ');
  });

  it('that is not there', async () => {
    const file = join(temporaryFolder(), 'missing.properties');
    expect(await refused(file)).toMatch(sentence('the configuration cannot be read', file));
  });
});

describe('a cluster is not joined', () => {
  it('by a broker that was formatted for another one', async () => {
    const { file } = broker(7);
    const other = (await kvorumOk(['random-id'])).trim();
    await format(file, other);
    const said = await refused(file);
    const fatal = said.split('\n').find((line) => line.includes('"event":"fatal"')) ?? '';
    expect(JSON.parse(fatal)).toMatchObject({
      level: 'error',
      reason: expect.stringMatching(
        new RegExp(
          `formatted for cluster '${other}', .* of cluster '${only.clusterId}': correct controller.quorum.voters`,
        ),
      ),
    });
    expect(await brokersOfCluster()).toEqual([1]);
  });

  it('by a controller that was formatted for another one', async () => {
    const [port] = await freePorts(1);
    const { file } = configFile('controller-2', {
      'process.roles': 'controller',
      'node.id': '2',
      listeners: `CONTROLLER://127.0.0.1:${port}`,
      'controller.quorum.voters': `1@127.0.0.1:${only.controller},2@127.0.0.1:${port}`,
    });
    await format(file, (await kvorumOk(['random-id'])).trim());
    const said = await refused(file);
    const fatal = said.split('\n').find((line) => line.includes('"event":"fatal"')) ?? '';
    expect(JSON.parse(fatal)).toMatchObject({
      level: 'error',
      reason: expect.stringMatching(
        new RegExp(
          `formatted for cluster '.*', the controllers of controller\\.quorum\\.voters are of cluster '${only.clusterId}'`,
        ),
      ),
    });
    const quorum = await kvorumOk(['quorum', 'describe', '--server', server()]);
    expect(quorum).not.toMatch(/^2 /m);
  });
});
