// The command line against a cluster: what it prints, and how it fails. 0: done. 1: it could not be done. 2: asked wrongly.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { RunningDev } from './kvorum.ts';
import { kvorum, kvorumOk, startDev } from './kvorum.ts';
import { cleanUp, eventually, freePorts } from './processes.ts';

let cluster: RunningDev;

beforeAll(async () => {
  cluster = await startDev();
});
afterAll(cleanUp);

/** With --server. */
function ask(args: readonly string[], input = '') {
  return kvorum([...args, '--server', cluster.server], input);
}

/** What a command answers to programs. */
async function json(args: readonly string[], code = 0): Promise<Record<string, unknown>> {
  const ended = await ask([...args, '--format', 'json']);
  expect(ended.code).toBe(code);
  return JSON.parse(ended.stdout) as Record<string, unknown>;
}

/** How a command failed that must print nothing but the reason. */
async function failure(args: readonly string[]): Promise<{ code: number | null; sentence: string }> {
  const { code, stdout, stderr } = await ask(args);
  return { code, sentence: `${stdout}${stderr}`.trim() };
}

it('creates, lists, describes and deletes a topic', async () => {
  expect(await ask(['topic', 'create', 'orders', '--partitions', '6'])).toMatchObject({
    code: 0,
    stdout: 'orders: created (6 partitions, 3 replicas each)\n',
    stderr: '',
  });
  const { topics } = JSON.parse(await kvorumOk(['topic', 'list', '--format', 'json', '--server', cluster.server])) as {
    topics: { name: string; partitions: number }[];
  };
  expect(topics).toMatchObject([{ name: 'orders', partitions: 6 }]);
  const described = await ask(['topic', 'describe', 'orders']);
  expect(described.stdout.split('\n').filter((line) => /^\d/.test(line))).toHaveLength(6);
  expect(await ask(['topic', 'delete', 'orders', '--yes'])).toMatchObject({ code: 0, stdout: 'orders: deleted\n' });
  expect((await ask(['topic', 'list'])).stdout).not.toContain('orders');
});

it('adds partitions, and shows the topics for which it could not', async () => {
  await ask(['topic', 'create', 'growing', 'small', '--partitions', '2', '--replication-factor', '1']);
  expect(await ask(['topic', 'add-partitions', 'growing', '--total', '4', '--dry-run'])).toMatchObject({
    code: 0,
    stdout: 'growing: could have 4 partitions\n',
  });
  expect(await ask(['topic', 'add-partitions', 'growing', 'nothing', 'small', '--total', '3'])).toMatchObject({
    code: 1,
    stdout: 'growing: 3 partitions now\nsmall: 3 partitions now\n',
    stderr: "nothing: UNKNOWN_TOPIC_OR_PARTITION: there is no topic 'nothing'\n",
  });
  await ask(['topic', 'add-partitions', 'growing', '--replica-assignment', '6,4']);
  const { topics } = await json(['topic', 'describe', 'growing']);
  const [topic] = topics as { partitions: { replicas: number[] }[] }[];
  expect(topic?.partitions.slice(3).map(({ replicas }) => replicas)).toEqual([[6], [4]]);
  expect(await ask(['topic', 'add-partitions', 'growing', '--total', '5'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('INVALID_PARTITIONS'),
  });
});

it('creates and deletes more topics than go in one call', async () => {
  const names = Array.from({ length: 1100 }, (_, i) => `many-${i}`);
  const created = await ask(['topic', 'create', ...names, 'many-1099']);
  expect(created.stdout.trim().split('\n')).toHaveLength(1100 - 1);
  expect(created).toMatchObject({ code: 1, stderr: expect.stringContaining('many-1099: INVALID_REQUEST') });
  const { topics } = await json(['topic', 'delete', ...names, '--yes'], 1);
  expect((topics as { error?: object }[]).filter(({ error }) => error === undefined)).toHaveLength(1099);
  expect((await ask(['topic', 'list'])).stdout).not.toContain('many-');
});

describe('--dry-run', () => {
  it.for([
    ['topic', 'create', 'dry'],
    ['topic', 'delete', 'kept', '--yes'],
    ['topic', 'delete', 'kept'],
    ['topic', 'add-partitions', 'kept', '--total', '9'],
    ['config', 'set', 'log.flush.mode=async', '--topic', 'kept', '--all-brokers'],
    ['partition', 'elect', '--type', 'unclean', '--all'],
    ['cluster', 'upgrade'],
    ['quorum', 'remove-voter', '--voter', '3'],
  ])('changes nothing: kvorum %s', async (args) => {
    await ask(['topic', 'create', 'kept']);
    const end = async () => (await json(['cluster', 'describe']))['metadataEndOffset'];
    // Brokers still tell where they keep the replicas of a topic when that is created.
    const before = await eventually('nothing changes by itself', async () => {
      const first = await end();
      await new Promise((resolve) => void setTimeout(resolve, 500));
      return (await end()) === first ? first : undefined;
    });
    expect(await ask([...args, '--dry-run'])).toMatchObject({ code: 0 });
    expect(await end()).toBe(before);
  });
});

describe('--format', () => {
  it('is the same for programs, whether JSON or YAML', async () => {
    await ask(['topic', 'create', 'forms', '--partitions', '2', '--config', 'segment.bytes=1048576']);
    const args = ['config', 'describe', '--topic', 'forms', '--all'];
    const yaml = await ask([...args, '--format', 'yaml']);
    expect(parseAllDocuments(yaml.stdout).map((document) => document.toJS() as unknown)).toEqual([await json(args)]);
    const lines = (await ask(['metadata', 'tail', '--format', 'json'])).stdout.trim().split('\n');
    const documents = parseAllDocuments((await ask(['metadata', 'tail', '--format', 'yaml'])).stdout);
    const records = documents.map((document) => document.toJS() as unknown);
    expect(records.slice(0, lines.length)).toEqual(lines.map((line) => JSON.parse(line) as unknown));
  });

  it('wide has more columns than text', async () => {
    for (const args of [
      ['topic', 'list'],
      ['topic', 'describe'],
      ['broker', 'list'],
      ['cluster', 'describe'],
    ]) {
      const [text, wide] = [await ask(args), await ask([...args, '--format', 'wide'])];
      const widest = (of: string) => Math.max(...of.split('\n').map((line) => line.length));
      expect(widest(wide.stdout)).toBeGreaterThan(widest(text.stdout));
    }
  });
});

describe('--server', () => {
  it('goes on to the next of several', async () => {
    const [port] = await freePorts(1);
    const servers = `127.0.0.1:${port},${cluster.server}`;
    expect(await kvorum(['topic', 'create', 'by-the-next', '--server', servers])).toMatchObject({ code: 0 });
    expect((await kvorum(['topic', 'list', '--server', servers])).stdout).toContain('by-the-next');
    expect((await kvorum(['metadata', 'tail', '--server', servers])).stdout).toContain('name=by-the-next');
    expect(await kvorum(['produce', 'by-the-next', '--server', servers], 'a\n')).toMatchObject({ code: 0 });
  });
});

it('produces and consumes', async () => {
  await ask(['topic', 'create', 'lines', '--partitions', '3']);
  const args = ['produce', 'lines', '--key', 'customer-7', '--header', 'source=e2e', '--compression', 'zstd'];
  expect(await ask(args, 'one\ntwo\nthree\n')).toMatchObject({ code: 0, stderr: '3 records acknowledged\n' });
  const { code, stdout } = await ask(['consume', 'lines', '--from', 'beginning', '--exit', '--format', 'json']);
  expect(code).toBe(0);
  const records = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(records.map(({ value }) => value)).toEqual(['one', 'two', 'three']);
  expect(records[0]).toMatchObject({ key: 'customer-7', offset: 0, headers: [['source', 'e2e']] });
  expect((await ask(['consume', 'lines', '--from', 'beginning', '--count', '2'])).stdout).toBe('one\ntwo\n');
});

it('describes the cluster and the quorum from a broker and from a controller', async () => {
  for (const server of [cluster.grpc[2], cluster.controllers[1]] as string[]) {
    const described = JSON.parse(
      await kvorumOk(['cluster', 'describe', '--format', 'json', '--server', server]),
    ) as object;
    expect(described).toMatchObject({ brokers: [{ brokerId: 4 }, { brokerId: 5 }, { brokerId: 6 }] });
    const quorum = await kvorumOk(['quorum', 'describe', '--server', server]);
    expect(quorum.match(/^(leader|voter) +\d +[\w-]{22} /gm)).toHaveLength(3);
    expect(quorum.match(/^observer +\d +[\w-]{22} /gm)).toHaveLength(3);
  }
});

describe('says in a sentence', () => {
  it('why a topic is not created', async () => {
    await ask(['topic', 'create', 'taken']);
    expect(await failure(['topic', 'create', 'taken'])).toEqual({
      code: 1,
      sentence: "taken: TOPIC_ALREADY_EXISTS: topic 'taken' exists already",
    });
    expect(await failure(['topic', 'create', 'four', '--replication-factor', '4'])).toEqual({
      code: 1,
      sentence: expect.stringMatching(/INVALID_REPLICATION_FACTOR: .*there are 3 brokers/),
    });
    expect(await failure(['topic', 'create', 'bad/name'])).toEqual({
      code: 1,
      sentence: expect.stringContaining("only letters, digits, '.', '_' and '-' are allowed"),
    });
    expect(await failure(['topic', 'create', 'x', '--config', 'segment.bytez=1048576'])).toEqual({
      code: 1,
      sentence: expect.stringContaining('the nearest is segment.bytes'),
    });
    expect((await ask(['topic', 'list'])).stdout.match(/^(four|bad|x)/m)).toBeNull();
  });

  it('that there is no such topic', async () => {
    for (const args of [
      ['topic', 'describe', 'nothing'],
      ['topic', 'delete', 'nothing', '--yes'],
    ]) {
      expect(await failure(args)).toEqual({
        code: 1,
        sentence: "nothing: UNKNOWN_TOPIC_OR_PARTITION: there is no topic 'nothing'",
      });
    }
    for (const args of [
      ['produce', 'nothing'],
      ['consume', 'nothing', '--exit'],
    ]) {
      expect(await ask(args, 'a line\n')).toMatchObject({
        code: 1,
        stderr: "kvorum: there is no topic 'nothing': kvorum topic create makes one, kvorum topic list shows all\n",
      });
    }
  });

  it('that nobody answers', async () => {
    const [port] = await freePorts(1);
    const server = `127.0.0.1:${port}`;
    for (const command of [
      ['topic', 'list'],
      ['cluster', 'describe'],
      ['consume', 'lines', '--exit'],
    ]) {
      expect(await kvorum([...command, '--server', server])).toMatchObject({
        code: 1,
        stdout: '',
        stderr: `kvorum: nothing answers at ${server}: start the node, or name another with --server\n`,
      });
    }
  });

  it.for([
    { args: ['topic', 'delete', 'taken'], says: 'standard input is no terminal, so nobody can be asked; give --yes' },
    { args: ['partition', 'elect', '--type', 'unclean', '--all'], says: 'give --yes' },
    { args: ['broker', 'unregister', '6'], says: 'give --yes' },
    { args: ['partition', 'elect'], says: 'say which partitions: TOPIC-PARTITION, TOPIC, or --all' },
    { args: ['partition', 'elect', '--all', 'taken'], says: 'name partitions or give --all, not both' },
    { args: ['partition', 'explain', 'taken'], says: 'say which partition of taken: kvorum partition explain taken 0' },
    { args: ['topic', 'add-partitions', 'taken'], says: '--total <n>' },
    { args: ['topic', 'create', 'x', '--replica-assignment', '4,x'], says: 'like 4:5:6,5:6:4' },
    { args: ['topic', 'create', 'x', '-p', '2', '--replica-assignment', '4,5'], says: 'leave out --partitions' },
    { args: ['config', 'describe'], says: '--topic <name>, --broker <id> or --all-brokers' },
    { args: ['config', 'set', 'x', '--topic', 'taken'], says: "key=value, not 'x'" },
    { args: ['config', 'set', 'x=1', 'x=2', '--topic', 'taken'], says: 'has x twice' },
    { args: ['config', 'reset', 'x=1', '--topic', 'taken'], says: "keys without values, not 'x=1'" },
    { args: ['metadata', 'diff', 'yesterday'], says: "an offset of the metadata log, or now, not 'yesterday'" },
    { args: ['topic', 'list', '--format', 'xml'], says: 'Allowed choices are text, wide, json, yaml' },
    { args: ['topic', 'list', '--timeout', '0'], says: "--timeout takes a whole number of at least 1, not '0'" },
    { args: ['topic', 'list', '--json'], says: "unknown option '--json'" },
    { args: ['topic', 'create', 'x', '--partitions', '0'], says: "a whole number of at least 1, not '0'" },
    { args: ['topic', 'create', 'x', '--partitions', 'six'], says: "a whole number of at least 1, not 'six'" },
    { args: ['topic', 'create'], says: "missing required argument 'name'" },
    { args: ['topic', 'list', '--server', 'nowhere'], says: "host:port, for example 127.0.0.1:9094, not 'nowhere'" },
    { args: ['consume', 'taken', '--from', 'yesterday'], says: "@milliseconds, not 'yesterday'" },
    { args: ['consume', 'taken', '--partition', '9', '--exit'], says: 'taken has partitions 0 to 0, not 9' },
    { args: ['produce', 'taken', '--compression', 'rar'], says: "gzip, snappy, lz4, zstd, not 'rar'" },
    { args: ['format', '--cluster-id', 'short', '--config', 'x'], says: 'kvorum random-id prints one' },
    { args: ['dev', '--config', 'novalue'], says: "key=value, not 'novalue'" },
    { args: ['dev', '--log-level', 'loud'], says: "debug, info, warn or error, not 'loud'" },
    { args: ['brew', 'coffee'], says: "unknown command 'brew'" },
    { args: ['topic', 'creat', 'x'], says: '(kvorum topic --help lists its commands)' },
  ])('what is wrong with: kvorum $args', async ({ args, says }) => {
    const needsServer = args.includes('taken') && !args.includes('--server');
    const { code, stdout, stderr } = needsServer ? await ask(args) : await kvorum(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(says);
    expect(stderr).not.toContain('    at ');
  });
});
