// `kvorum dev`: a whole cluster in one process.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { RunningDev } from './kvorum.ts';
import { kvorum, kvorumOk, startDev } from './kvorum.ts';
import { cleanUp, groupExists, isListening, temporaryFolder } from './processes.ts';

const LISTENERS = ['bootstrap', 'grpc', 'controllers'] as const;

/** SIGINT, as Ctrl-C sends it; what is left behind fails the test. */
async function interrupt(cluster: RunningDev): Promise<void> {
  cluster.process.kill('SIGINT');
  const { code, signal, stdout, stderr } = await cluster.process.ended(15_000);
  expect({ code, signal }, stderr).toEqual({ code: 0, signal: null });
  expect(stdout.trim().split('\n')).toHaveLength(1);
  // An ordinary stop is nothing to be warned of.
  expect(stderr).not.toContain('broker-fenced');
  expect(groupExists(cluster.process.pid)).toBe(false);
  for (const kind of LISTENERS) for (const address of cluster[kind]) expect(await isListening(address)).toBe(false);
}

describe('kvorum dev', () => {
  afterAll(cleanUp);

  it('prints one line of JSON, keeps its data, and ends with 0 on SIGINT', async () => {
    const dataDir = join(temporaryFolder(), 'data');
    const first = await startDev({ dataDir });
    expect(Object.keys(JSON.parse(first.process.stdout) as object).sort()).toEqual([
      'bootstrap',
      'controllers',
      'dataDir',
      'grpc',
    ]);
    expect(first.dataDir).toBe(dataDir);
    for (const kind of LISTENERS) {
      expect(first[kind]).toHaveLength(3);
      for (const address of first[kind]) expect(await isListening(address)).toBe(true);
    }
    const server = ['--server', first.server];
    await kvorumOk(['topic', 'create', 'kept', '--partitions', '3', ...server]);
    await kvorumOk(['produce', 'kept', ...server], 'one\ntwo\nthree\n');
    await interrupt(first);

    const second = await startDev({ dataDir });
    const again = ['--server', second.server];
    expect(await kvorumOk(['topic', 'list', ...again])).toMatch(/^kept +3 /m);
    const lines = (await kvorumOk(['consume', 'kept', '--from', 'beginning', '--exit', ...again])).trim().split('\n');
    expect(lines.toSorted()).toEqual(['one', 'three', 'two']);
    await interrupt(second);
  });

  it('removes the data of an ephemeral cluster', async () => {
    const cluster = await startDev({ args: ['--controllers', '1', '--brokers', '1'] });
    expect(cluster.controllers).toHaveLength(1);
    expect(existsSync(cluster.dataDir)).toBe(true);
    await interrupt(cluster);
    expect(existsSync(cluster.dataDir)).toBe(false);
  });

  it('does not share its folder, and does not change the number of its nodes', async () => {
    const dataDir = join(temporaryFolder(), 'data');
    const size = ['--controllers', '1', '--brokers', '1'];
    const first = await startDev({ dataDir, args: size });
    const ports = ['--kafka-port', '0', '--controller-port', '0', '--grpc-port', '0'];
    const second = await kvorum(['dev', '--data-dir', dataDir, ...size, ...ports]);
    expect(second).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^kvorum: .*node-1.*another process uses it: stop that one[^\n]*\n$/),
    });
    await interrupt(first);
    expect(await kvorum(['dev', '--data-dir', dataDir, ...ports])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^kvorum: .*holds a cluster of 1 controllers and 1 brokers: start it with these[^\n]*\n$/,
      ),
    });
  });
});
