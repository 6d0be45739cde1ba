// The command line of administration against a cluster: configs, partitions, brokers, the metadata level, history and differences.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningDev } from './kvorum.ts';
import { kvorum, startDev } from './kvorum.ts';
import { cleanUp } from './processes.ts';

let cluster: RunningDev;

beforeAll(async () => {
  cluster = await startDev();
  expect(await ask(['topic', 'create', 'orders', 'orders-1', '--partitions', '2'])).toMatchObject({ code: 0 });
});
afterAll(cleanUp);

function ask(args: readonly string[]) {
  return kvorum([...args, '--server', cluster.server]);
}

/** What a command answers to programs, an object per line. */
async function objects(args: readonly string[]): Promise<Record<string, unknown>[]> {
  const { code, stdout, stderr } = await ask([...args, '--format', 'json']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('configs', () => {
  it('are set, shown with where they come from, and reset', async () => {
    const set = ['config', 'set', 'segment.bytes=1048576', 'retention.ms=-1', '--topic', 'orders'];
    expect(await ask(set)).toMatchObject({ code: 0, stdout: 'topic orders: changed\n', stderr: '' });
    expect((await ask(['config', 'describe', '--topic', 'orders'])).stdout).toBe(`topic orders
KEY            VALUE    FROM
retention.ms   -1       topic
segment.bytes  1048576  topic
`);
    const wide = await ask(['config', 'describe', 'segment.bytes', '--topic', 'orders', '--format', 'wide']);
    expect(wide.stdout).toContain('default: log.segment.bytes=1073741824');
    await ask(['config', 'reset', 'segment.bytes', 'retention.ms', '--topic', 'orders']);
    expect((await ask(['config', 'describe', '--topic', 'orders'])).stdout).toBe(
      'topic orders: nothing is set, every default holds (--all shows them)\n',
    );
    expect((await ask(['config', 'describe', '--topic', 'orders', '--all'])).stdout).toMatch(
      /^segment\.bytes +1073741824 +default$/m,
    );
  });

  it('of lists are appended to and subtracted from', async () => {
    const value = async () => {
      const [answer] = await objects(['config', 'describe', 'cleanup.policy', '--topic', 'orders']);
      return answer?.['resources'];
    };
    const entry = (text: string, source: string) => [
      { resource: { scope: 'topic', name: 'orders' }, entries: [expect.objectContaining({ value: text, source })] },
    ];
    await ask(['config', 'append', 'cleanup.policy=compact', '--topic', 'orders']);
    expect(await value()).toEqual(entry('delete,compact', 'topic'));
    await ask(['config', 'subtract', 'cleanup.policy=delete', '--topic', 'orders']);
    expect(await value()).toEqual(entry('compact', 'topic'));
    await ask(['config', 'reset', 'cleanup.policy', '--topic', 'orders']);
    expect(await value()).toEqual(entry('delete', 'default'));
  });

  it('of all brokers hold for topics', async () => {
    await ask(['config', 'set', 'log.flush.mode=async', '--all-brokers']);
    const described = await ask(['config', 'describe', '--topic', 'orders', '--all-brokers', '--broker', '5']);
    expect(described.stdout.match(/^log\.flush\.mode +async +all brokers$/gm)).toHaveLength(3);
    await ask(['config', 'reset', 'log.flush.mode', '--all-brokers']);
  });

  it('say what the node that answers does not know', async () => {
    const told = /answered by node 4, which does not know the file of broker 5/;
    const args = ['config', 'describe', 'num.partitions', '--broker', '5'];
    expect((await ask(args)).stdout).toMatch(told);
    const [answer] = await objects(args);
    expect(answer?.['resources']).toEqual([expect.objectContaining({ note: expect.stringMatching(told) })]);
    expect((await ask(['config', 'describe', 'num.partitions', '--broker', '4'])).stdout).not.toContain('answered by');
  });

  it('that are wrong say why, and those that are right are set', async () => {
    const { code, stdout, stderr } = await ask([
      'config',
      'set',
      'segment.bytes=2097152',
      '--topic',
      'nothing',
      '--topic',
      'orders',
      '--broker',
      '4',
    ]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: 'topic orders: changed\n' });
    expect(stderr).toMatch(/^topic nothing: UNKNOWN_TOPIC_OR_PARTITION: there is no topic 'nothing'$/m);
    expect(stderr).toMatch(/^broker 4: INVALID_CONFIG: .*log\.segment\.bytes/m);
    const wrong = await ask(['config', 'set', 'segment.bytes=1', 'retention.ms=5', '--topic', 'orders']);
    expect(wrong).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('segment.bytes=1 is not valid'),
    });
    expect((await ask(['config', 'describe', '--topic', 'orders'])).stdout).not.toContain('retention.ms');
  });
});

describe('partitions', () => {
  it('are explained', async () => {
    const { code, stdout } = await ask(['partition', 'explain', 'orders', '1']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^orders-1: broker \d leads: /);
    expect(stdout).toMatch(/^decided by record \d+ of epoch \d+ at \d{4}-\d\d-\d\dT[\d:.]+Z/m);
    expect(stdout).toMatch(/^What would change it:\n {2}- /m);
    expect((await ask(['partition', 'explain', 'orders:1'])).stdout).toBe(stdout);
    expect(await ask(['partition', 'explain', 'orders', '7'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining("orders-7: UNKNOWN_TOPIC_OR_PARTITION: topic 'orders' has no partition 7"),
    });
  });

  it('elect preferred leaders, where one is needed', async () => {
    expect(await ask(['partition', 'elect', '--all'])).toMatchObject({ code: 0, stdout: '' });
    expect(await ask(['partition', 'elect', 'orders'])).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'no partition needs an election\n',
    });
    const { code, stdout, stderr } = await ask(['partition', 'elect', 'orders:0', 'orders:9']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: expect.stringMatching(/^orders-0: no election needed/) });
    expect(stderr).toContain('orders-9: UNKNOWN_TOPIC_OR_PARTITION');
    expect(await ask(['partition', 'elect', 'nothing'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("there is no topic 'nothing'"),
    });
  });

  it('are told apart from topics of that name', async () => {
    expect(await ask(['partition', 'elect', 'orders-1'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('write orders-1: for the one, orders:1 for the partition of the other'),
    });
    expect(await ask(['metadata', 'history', 'orders-1'])).toMatchObject({ code: 2 });
    const of = async (name: string) =>
      (await objects(['metadata', 'history', name])).filter(({ type }) => type !== 'logStart');
    expect(await of('orders:1')).toEqual([expect.objectContaining({ topic: 'orders', partition: 1 })]);
    expect((await of('orders-1:')).map(({ topic }) => topic)).toEqual(['orders-1', 'orders-1', 'orders-1']);
  });
});

describe('brokers', () => {
  it('are listed and described, with the record that made their state', async () => {
    const list = await ask(['broker', 'list']);
    expect(list.stdout.match(/^[456] +active +\d{4}-\d\d-\d\dT[\d:.]+Z +/gm)).toHaveLength(3);
    const described = await ask(['broker', 'describe', '5', '9']);
    expect(described).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^broker 5: active, by record \d+ /),
      stderr: 'broker 9: not registered; registered are 4, 5, 6\n',
    });
    expect((await objects(['broker', 'list']))[0]).toMatchObject({
      brokers: [{ brokerId: 4 }, { brokerId: 5, fenced: false, state: { timestampMs: expect.any(Number) } }, {}],
    });
  });

  it('that run are not forgotten', async () => {
    for (const how of ['--dry-run', '--yes']) {
      const { code, stdout, stderr } = await ask(['broker', 'unregister', '5', '9', how]);
      expect(code).toBe(1);
      expect(`${stdout}${stderr}`).toMatch(/^broker 5: .*stop it first$/m);
      expect(`${stdout}${stderr}`).toMatch(/^broker 9: .*not registered$/m);
    }
    expect((await ask(['broker', 'list'])).stdout).toMatch(/^5 +active/m);
  });
});

it('the metadata level is shown, is in force, and is never lowered', async () => {
  const { stdout } = await ask(['cluster', 'features']);
  const [, level = ''] = /^metadata level (\d+); /.exec(stdout) ?? [];
  expect(stdout.match(new RegExp(`^[1-6] +(broker|controller) +1 to ${level}$`, 'gm'))).toHaveLength(6);
  expect(await ask(['cluster', 'upgrade'])).toMatchObject({
    code: 0,
    stdout: `metadata level: ${level} is in force\n`,
  });
  expect(await ask(['cluster', 'upgrade', '--level', '1'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('INVALID_UPDATE_VERSION'),
  });
});

it('the loss ledger is empty where nothing was lost, and says what it does not know', async () => {
  for (const args of [[], ['orders'], ['orders:0']]) {
    expect(await ask(['partition', 'losses', ...args])).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'no loss is recorded\n',
    });
  }
  expect(await ask(['partition', 'losses', '--open'])).toMatchObject({ code: 0, stderr: 'no loss is open\n' });
  expect(await ask(['partition', 'losses', 'nope'])).toMatchObject({
    code: 1,
    stderr: "kvorum: there is no topic 'nope'\n",
  });
  expect(await ask(['partition', 'losses', 'orders:7'])).toMatchObject({
    code: 2,
    stderr: "kvorum: topic 'orders' has no partition 7: its partitions are 0 to 1\n",
  });
});

describe('the past', () => {
  it('of a topic is told from its creation to its end', async () => {
    await ask(['topic', 'create', 'brief']);
    await ask(['config', 'set', 'retention.ms=5', '--topic', 'brief']);
    await ask(['topic', 'delete', 'brief', '--yes']);
    const events = await objects(['metadata', 'history', 'brief']);
    expect(events.map(({ type }) => type)).toEqual([
      'logStart',
      'topicCreated',
      'partitionCreated',
      'configChanged',
      'topicDeleted',
    ]);
    expect((await ask(['metadata', 'history', 'brief'])).stdout).toMatch(
      /^ +\d+ +\d+ {2}\d{4}-\d\d-\d\dT[\d:.]+Z {2}brief-0 +partitionCreated +leader \d/m,
    );
    expect(await ask(['metadata', 'history', 'never'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("says nothing of topic 'never'"),
    });
  });

  it('differs from the present', async () => {
    const [{ metadataEndOffset } = {}] = await objects(['cluster', 'describe']);
    const from = String(metadataEndOffset);
    expect(await ask(['metadata', 'diff', from])).toMatchObject({ code: 0, stdout: '', stderr: 'nothing differs\n' });
    await ask(['topic', 'create', 'new']);
    const { code, stdout } = await ask(['metadata', 'diff', from]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\+ topic new: id [\w-]{22}, partitions 1\n\+ partition new-0: leader \d/);
    const differences = await objects(['metadata', 'diff', from, 'now']);
    expect(differences.slice(0, 2).map(({ subject }) => subject)).toEqual(['topic new', 'partition new-0']);
    expect(await ask(['metadata', 'diff', '99999999'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('99999999'),
    });
  });
});
