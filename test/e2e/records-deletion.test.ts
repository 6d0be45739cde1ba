// `kvorum topic delete-records` against a cluster: what it prints, what it leaves, and how it fails.
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RunningDev } from './kvorum.ts';
import { kvorum, startDev } from './kvorum.ts';
import { cleanUp } from './processes.ts';

let cluster: RunningDev;

beforeAll(async () => {
  cluster = await startDev();
  expect(await ask(['topic', 'create', 'orders', '--partitions', '2'])).toMatchObject({ code: 0 });
  expect(await ask(['topic', 'create', 'latest', '--config', 'cleanup.policy=compact'])).toMatchObject({ code: 0 });
  for (const partition of ['0', '1']) {
    const lines = Array.from({ length: 10 }, (_, i) => `${partition}.${i}\n`).join('');
    expect(await ask(['produce', 'orders', '--partition', partition], lines)).toMatchObject({ code: 0 });
  }
});
afterAll(cleanUp);

function ask(args: readonly string[], input = '') {
  return kvorum([...args, '--server', cluster.server], input);
}

function remove(...args: string[]) {
  return ask(['topic', 'delete-records', ...args]);
}

async function consumed(partition: number): Promise<string[]> {
  const { stdout } = await ask([
    'consume',
    'orders',
    '--partition',
    String(partition),
    '--from',
    'beginning',
    '--exit',
  ]);
  return stdout.split('\n').filter((line) => line !== '');
}

it('tells what would go, and deletes nothing, with --dry-run', async () => {
  const ended = await remove('orders', '-p', '0', '-p', '1', '--before', '4', '--dry-run');
  expect(ended).toMatchObject({
    code: 0,
    stdout: [0, 1].map((n) => `orders-${n}: offsets 0 to 3 would be deleted, 4 to 9 stay\n`).join(''),
    stderr: '',
  });
  const all = await remove('orders', '-p', '1', '--before', 'end', '--dry-run');
  expect(all.stdout).toBe('orders-1: offsets 0 to 9 would be deleted, none stay\n');
  expect(await consumed(0)).toHaveLength(10);
});

it('deletes up to an offset; consumers begin there', async () => {
  expect(await remove('orders', '-p', '0', '--before', '7', '--yes')).toMatchObject({
    code: 0,
    stdout: 'orders-0: begins at offset 7 now\n',
    stderr: '',
  });
  expect(await consumed(0)).toEqual(['0.7', '0.8', '0.9']);
  const again = await remove('orders', '-p', '0', '--before', '3', '--dry-run');
  expect(again.stdout).toBe('orders-0: nothing would be deleted, 7 to 9 stay\n');
});

it('deletes to the end; what follows is kept', async () => {
  const ended = await remove('orders', '-p', '1', '--before', 'end', '--yes', '--format', 'json');
  expect(JSON.parse(ended.stdout)).toEqual({ partitions: [{ topic: 'orders', partition: 1, lowWatermark: 10 }] });
  expect(await consumed(1)).toEqual([]);
  await ask(['produce', 'orders', '--partition', '1'], 'new\n');
  expect(await consumed(1)).toEqual(['new']);
});

it('answers for each partition, in a sentence where it cannot be done', async () => {
  const wrong = await remove('orders', '-p', '0', '-p', '5', '--before', '8', '--yes');
  expect(wrong).toMatchObject({
    code: 1,
    stdout: 'orders-0: begins at offset 8 now\n',
    stderr: 'orders-5: UNKNOWN_TOPIC_OR_PARTITION: topic orders has partitions 0 to 1, not 5\n',
  });
  for (const how of ['--yes', '--dry-run']) {
    const ahead = await remove('orders', '-p', '0', '--before', '100', how);
    expect(ahead).toMatchObject({ code: 1, stdout: '' });
    expect(ahead.stderr).toMatch(/^orders-0: OFFSET_OUT_OF_RANGE: /);
    const compacted = await remove('latest', '-p', '0', '--before', 'end', how);
    expect(compacted).toMatchObject({
      code: 1,
      stdout: '',
      stderr:
        'latest-0: POLICY_VIOLATION: topic latest is only compacted: records can be deleted where cleanup.policy has delete\n',
    });
  }
});

it('asks first, and says what it takes', async () => {
  const unasked = await remove('orders', '-p', '0', '--before', 'end');
  expect(unasked).toMatchObject({ code: 2, stdout: '' });
  expect(unasked.stderr).toContain('nothing was deleted: standard input is no terminal');
  const nonsense = await remove('orders', '-p', '0', '--before', 'yesterday', '--yes');
  expect(nonsense).toMatchObject({
    code: 2,
    stderr: "kvorum: --before takes an offset, or end for all records, not 'yesterday'\n",
  });
  expect((await remove('orders', '--before', 'end', '--yes')).stderr).toContain('--partition');
  expect((await remove('orders', '-p', '0', '--yes')).stderr).toContain('--before');
  const missing = await remove('nothing', '-p', '0', '--before', 'end', '--dry-run');
  expect(missing).toMatchObject({ code: 1, stdout: '' });
  expect(missing.stderr).toContain("there is no topic 'nothing'");
});
