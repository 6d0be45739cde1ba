// R-0.3a, R-1.7, R-11.7: a node that lost what it acknowledged, or belongs elsewhere, does not take part: each refusal names the
// place and the way out, and the way out works.
import { describe, expect, test } from 'vitest';
import type { NodeConfig } from '../../../src/config/node-config.ts';
import type { Env } from '../../../src/env/env.ts';
import { startNode } from '../../../src/server/node.ts';
import { openRecovery } from '../../../src/server/recovery.ts';
import { StartError } from '../../../src/server/start-error.ts';
import { formatStorage } from '../../../src/server/storage.ts';
import type { SimProcess } from '../../../src/sim/process/process.ts';
import { World } from '../../../src/sim/world/world.ts';
import { CLUSTER_ID, configText, parsed, startOn } from '../broker/bench.ts';
import { SimCluster } from './sim-cluster.ts';

const WHOLE = parsed(configText());
const OTHER_CLUSTER = 'BAAAAAAAAAAAAAAAAAAAAQ';
const START_ANEW = /Remove meta\.properties, durable-end, metadata and snapshots from \/data and format it again/;
const hooks = {
  fatal: (reason: string) => {
    throw new Error(reason);
  },
};

/** A node ran and stopped in good order; then `body` finds its folder. */
async function afterwards(body: (env: Env, host: SimProcess) => Promise<void>): Promise<void> {
  const world = new World({ seed: 5 });
  const host = world.process('node');
  for (const folder of ['/data', '/more']) host.disk.provision(folder);
  await world.run('node', 600_000, async (env) => {
    const node = await startOn(env, WHOLE);
    await node.stop();
    await body(env, host);
  });
}

async function refusal(env: Env, config: NodeConfig = WHOLE): Promise<string> {
  const error = await startNode(env, config, hooks).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(StartError);
  return (error as StartError).message;
}

async function startsAnew(env: Env): Promise<void> {
  for (const name of ['meta.properties', 'durable-end', 'metadata', 'snapshots'])
    await env.disk.remove(`/data/${name}`);
  expect(await formatStorage(env, WHOLE, CLUSTER_ID)).toEqual(['/data']);
}

async function changeDatabase(env: Env, change: (keys: Buffer[]) => Buffer[]): Promise<void> {
  const store = await env.openStore('/data/metadata');
  const keys: Buffer[] = [];
  for await (const [key] of store.entries()) keys.push(key);
  await store.batch(
    change(keys).map((key) => ({ type: 'delete', key })),
    { sync: true },
  );
  await store.close();
}

const isLog = (key: Buffer): boolean => key.toString('latin1').startsWith('log/');

describe('a folder that lost what was durable once', () => {
  test('a wiped database, under the same identity', async () => {
    await afterwards(async (env) => {
      await env.disk.remove('/data/metadata');
      const said = await refusal(env);
      expect(said).toMatch(/^the metadata log in \/data cannot be opened: the metadata log is empty, though/);
      expect(said).toMatch(/must not take part with less than it acknowledged \(\/data\/durable-end\)/);
      expect(said).toMatch(START_ANEW);
      // And so it stays, however often it is tried.
      expect(await refusal(env)).toBe(said);
      await startsAnew(env);
    });
  });

  test('a lost tail of the log', async () => {
    await afterwards(async (env) => {
      await changeDatabase(env, (keys) => keys.filter(isLog).slice(-1));
      expect(await refusal(env)).toMatch(
        /the metadata log ends at offset \d+, though it was durable up to offset \d+ once/,
      );
    });
  });

  test('a lost quorum state', async () => {
    await afterwards(async (env) => {
      await changeDatabase(env, (keys) => keys.filter((key) => key.toString() === 'quorum-state'));
      expect(await refusal(env)).toMatch(/the quorum state is of epoch 0, though epoch \d+ was durable once/);
    });
  });

  test('a missing note', async () => {
    await afterwards(async (env) => {
      await env.disk.remove('/data/durable-end');
      const said = await refusal(env);
      expect(said).toMatch(/\/data\/durable-end is missing: this directory was wiped, or formatted by another version/);
      expect(said).toMatch(START_ANEW);
    });
  });

  test('a note of which both slots are damaged', async () => {
    await afterwards(async (env, { disk }) => {
      disk.corrupt('/data/durable-end', 20);
      const node = await startNode(env, WHOLE, hooks);
      await node.stop();
      disk.corrupt('/data/durable-end', 20);
      disk.corrupt('/data/durable-end', 4096 + 20);
      const said = await refusal(env);
      expect(said).toMatch(/\/data\/durable-end is damaged\./);
      expect(said).toMatch(START_ANEW);
    });
  });
});

describe('format', () => {
  test('does not give a new identity to what another one wrote', async () => {
    await afterwards(async (env) => {
      await env.disk.remove('/data/meta.properties');
      await expect(formatStorage(env, WHOLE, CLUSTER_ID)).rejects.toThrow(
        /^\/data is not formatted but holds metadata, of another format: restore its meta\.properties and durable-end, or remove/,
      );
      await startsAnew(env);
    });
  });

  test('that was interrupted can be repeated', async () => {
    const world = new World({ seed: 3 });
    const host = world.process('node');
    host.disk.provision('/data');
    for (let cutUs = 0; cutUs < 5000; cutUs += 250) {
      host.start((env) => formatStorage(env, WHOLE, CLUSTER_ID).then(() => undefined));
      await world.runFor(cutUs / 1000);
      host.powerCut();
      await world.run('node', 60_000, async (env) => {
        await formatStorage(env, WHOLE, CLUSTER_ID);
        const node = await startNode(env, WHOLE, hooks);
        await node.stop();
        for (const { name } of await env.disk.list('/data')) await env.disk.remove(`/data/${name}`);
        await env.disk.syncDirectory('/data');
      });
      host.kill();
    }
  });
});

describe('among controllers of another cluster', () => {
  const voters = { 'controller.quorum.bootstrap.servers': '' };

  test('R-0.3a a node whose bootstrap servers are all of it does not start', async () => {
    const cluster = new SimCluster();
    await cluster.startControllers();
    const config = parsed(
      configText({
        'node.id': '7',
        'process.roles': 'controller',
        'controller.quorum.voters': '',
        'controller.quorum.bootstrap.servers': 'c1:9093,c2:9093,c3:9093,c4:9093',
        listeners: 'CONTROLLER://c4:9093',
      }),
    );
    cluster.world.process('c4').disk.provision('/data');
    await cluster.world.run('c4', 60_000, async (env) => {
      await formatStorage(env, config, OTHER_CLUSTER);
      expect(await refusal(env, config)).toBe(
        `this node is formatted for cluster '${OTHER_CLUSTER}', the controllers of controller.quorum.bootstrap.servers are of cluster '${CLUSTER_ID}': correct controller.quorum.bootstrap.servers, or format empty folders for their cluster`,
      );
    });
  });

  test('R-0.3a a controller whose configured voters are all of it stops', async () => {
    const cluster = new SimCluster();
    const list = '1@c1:9093,2@c2:9093,3@c3:9093';
    const keys = { ...voters, 'controller.quorum.voters': list };
    for (const id of [1, 2, 3]) cluster.start(`c${id}`, { nodeId: id, keys });
    await cluster.ready('c1', 'c2', 'c3');
    const config = parsed(
      configText({
        'node.id': '7',
        'process.roles': 'controller',
        ...keys,
        'controller.quorum.voters': `${list},7@c7:9093`,
        listeners: 'CONTROLLER://c7:9093',
      }),
    );
    cluster.world.process('c7').disk.provision('/data');
    const reason = await cluster.world.run('c7', 60_000, async (env) => {
      await formatStorage(env, config, OTHER_CLUSTER);
      return new Promise<string>((resolve) => {
        void startNode(env, config, { fatal: resolve });
      });
    });
    expect(reason).toBe(
      `this node is formatted for cluster '${OTHER_CLUSTER}', the controllers of controller.quorum.voters are of cluster '${CLUSTER_ID}': correct controller.quorum.voters, or format empty folders for their cluster`,
    );
  });
});

describe('R-15 recovery', () => {
  test('of a controller that is the only voter and lost its tail', async () => {
    await afterwards(async (env) => {
      await changeDatabase(env, (keys) => keys.filter(isLog).slice(-1));
      const { recovery, folder } = await openRecovery(env, WHOLE);
      expect(recovery.finding).toMatchObject({
        recovery: 'needed',
        lost: expect.stringMatching(/durable up to offset/),
        voters: [{ id: 1, directoryId: folder.survivor.directoryId }],
      });
      await recovery.carryOut();
      await recovery.close();
      const node = await startNode(env, WHOLE, hooks);
      expect(await node.ready).toBe(true);
      await node.stop();
    });
  });

  test('is refused for a mere broker, an unformatted folder, one without a log, and a node that runs', async () => {
    await afterwards(async (env) => {
      const broker = parsed(
        configText({
          'process.roles': 'broker',
          'controller.quorum.voters': '9@other:9093',
          listeners: 'PLAINTEXT://node:9092,GRPC://node:9094',
        }),
      );
      await expect(openRecovery(env, broker)).rejects.toThrow(/^node 1 is no controller \(process\.roles\)/);
      await expect(openRecovery(env, parsed(configText({ 'log.dirs': '/more' })))).rejects.toThrow(
        /^\/more is not formatted/,
      );
      const node = await startNode(env, WHOLE, hooks);
      await expect(openRecovery(env, WHOLE)).rejects.toThrow(/\/data cannot be recovered from: .*stop that one/);
      await node.stop();
      await env.disk.remove('/data/metadata');
      await expect(openRecovery(env, WHOLE)).rejects.toThrow(/there is no metadata log in \/data/);
    });
  });
});
