// The command line against a cluster: what it prints, and how it fails. 0: done. 1: it could not be done. 2: asked wrongly.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningDev } from './kvorum.ts';
import { kvorum, kvorumOk, startDev } from './kvorum.ts';
import { cleanUp, freePorts } from './processes.ts';

let cluster: RunningDev;

beforeAll(async () => {
  cluster = await startDev();
});
afterAll(cleanUp);

/** With --server. */
function ask(args: readonly string[], input = '') {
  return kvorum([...args, '--server', cluster.server], input);
}

/** How a command failed that must print nothing but the reason. */
async function failure(args: readonly string[]): Promise<{ code: number | null; sentence: string }> {
  const { code, stdout, stderr } = await ask(args);
  return { code, sentence: `${stdout}${stderr}`.trim() };
}

it('creates, lists, describes and deletes a topic', async () => {
  expect(await ask(['topic', 'create', 'orders', '--partitions', '6'])).toMatchObject({
    code: 0,
    stdout: 'orders: created (6 partitions, 1 replica each)\n',
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
    expect(await failure(['topic', 'create', 'three', '--replication-factor', '3'])).toEqual({
      code: 1,
      sentence: expect.stringMatching(/INVALID_REPLICATION_FACTOR: .*this version stores one replica per partition/),
    });
    expect(await failure(['topic', 'create', 'bad/name'])).toEqual({
      code: 1,
      sentence: expect.stringContaining("only letters, digits, '.', '_' and '-' are allowed"),
    });
    expect(await failure(['topic', 'create', 'x', '--config', 'segment.bytez=1048576'])).toEqual({
      code: 1,
      sentence: expect.stringContaining('the nearest is segment.bytes'),
    });
    expect((await ask(['topic', 'list'])).stdout.match(/^(three|bad|x)/m)).toBeNull();
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
    { args: ['topic', 'delete', 'taken'], says: 'give --yes' },
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
  ])('what is wrong with: kvorum $args', async ({ args, says }) => {
    const needsServer = args.includes('taken') && !args.includes('--server');
    const { code, stdout, stderr } = needsServer ? await ask(args) : await kvorum(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(says);
    expect(stderr).not.toContain('    at ');
  });
});
