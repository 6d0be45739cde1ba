// Starting and not starting: what an operator is told, and that nothing stays open after a failed start.
import { describe, expect, test } from 'vitest';
import type { NodeConfig } from '../../../src/config/node-config.ts';
import { writeFileDurably } from '../../../src/env/disk.ts';
import type { Env } from '../../../src/env/env.ts';
import { startNode } from '../../../src/server/node.ts';
import { StartError } from '../../../src/server/start-error.ts';
import { formatStorage } from '../../../src/server/storage.ts';
import type { SimProcess } from '../../../src/sim/process/process.ts';
import { World } from '../../../src/sim/world/world.ts';
import { CLUSTER_ID, configText, parsed, startOn } from '../broker/bench.ts';

const hooks = {
  fatal: (reason: string) => {
    throw new Error(reason);
  },
};
const WHOLE = parsed(configText());

async function onHost(body: (env: Env, host: SimProcess, world: World) => Promise<void>): Promise<void> {
  const world = new World({ seed: 5 });
  const host = world.process('node');
  for (const folder of ['/data', '/more']) host.disk.provision(folder);
  await world.run('node', 600_000, (env) => body(env, host, world));
}

async function refusal(env: Env, config: NodeConfig): Promise<string> {
  try {
    await startNode(env, config, hooks);
  } catch (error) {
    expect(error).toBeInstanceOf(StartError);
    return (error as StartError).message;
  }
  throw new Error('it started');
}

/** The folders and ports of the configuration are free: the same node starts, serves and stops. */
async function startsNow(env: Env, config = WHOLE): Promise<void> {
  const node = await startOn(env, config);
  await node.stop();
}

async function setProperty(env: Env, key: string, value: string): Promise<void> {
  const path = '/data/meta.properties';
  const text = (await env.disk.readFile(path)).toString();
  await writeFileDurably(env.disk, path, Buffer.from(text.replace(new RegExp(`^${key}=.*$`, 'm'), `${key}=${value}`)));
}

describe('folders', () => {
  test('not formatted', async () => {
    await onHost(async (env) => {
      expect(await refusal(env, WHOLE)).toMatch(/^\/data is not formatted: .* run 'kvorum format'/);
      await startsNow(env);
    });
  });

  test('one of two not formatted', async () => {
    await onHost(async (env) => {
      await formatStorage(env, WHOLE, CLUSTER_ID);
      const both = parsed(configText({ 'log.dirs': '/data,/more' }));
      expect(await refusal(env, both)).toMatch(/^\/more is not formatted/);
      expect(await formatStorage(env, both, CLUSTER_ID)).toEqual(['/more']);
      await startsNow(env, both);
    });
  });

  test('a copy of another', async () => {
    await onHost(async (env) => {
      await formatStorage(env, WHOLE, CLUSTER_ID);
      const both = parsed(configText({ 'log.dirs': '/data,/more', 'metadata.log.dir': '/data' }));
      await env.disk.makeDirectory('/more');
      const properties = await env.disk.readFile('/data/meta.properties');
      await writeFileDurably(env.disk, '/more/meta.properties', properties);
      await writeFileDurably(env.disk, '/more/durable-end', await env.disk.readFile('/data/durable-end'));
      expect(await refusal(env, both)).toMatch(
        /^\/more is a copy of \/data, both have directory.id \S+: take the copy out/,
      );
    });
  });

  test.each([
    ['node.id', '7', /^\/data belongs to node 7, not to node 1: correct node.id or log.dirs/],
    ['version', '2', /version 2, this release of Kvorum knows 1: start the release that wrote it/],
    ['directory.id', 'x', /directory.id is missing or malformed; restore the file/],
    ['cluster.id', '', /cluster.id is missing or malformed/],
  ])('%s=%s', async (key, value, sentence) => {
    await onHost(async (env) => {
      await formatStorage(env, WHOLE, CLUSTER_ID);
      const before = await env.disk.readFile('/data/meta.properties');
      await setProperty(env, key, value);
      expect(await refusal(env, WHOLE)).toMatch(sentence);
      await writeFileDurably(env.disk, '/data/meta.properties', before);
      await startsNow(env);
    });
  });

  test('of another cluster than the metadata folder, and not formatted over', async () => {
    await onHost(async (env) => {
      const both = parsed(configText({ 'log.dirs': '/data,/more', 'metadata.log.dir': '/data' }));
      await formatStorage(env, both, CLUSTER_ID);
      const foreign = parsed(configText({ 'log.dirs': '/more' }));
      await env.disk.remove('/more/meta.properties');
      await formatStorage(env, foreign, 'BAAAAAAAAAAAAAAAAAAAAQ');
      expect(await refusal(env, both)).toMatch(/^\/more belongs to cluster BAAAAAAAAAAAAAAAAAAAAQ, not to /);
      await expect(formatStorage(env, both, CLUSTER_ID)).rejects.toBeInstanceOf(StartError);
    });
  });

  test('in use by another process, of either kind of folder', async () => {
    await onHost(async (env) => {
      await formatStorage(env, WHOLE, CLUSTER_ID);
      for (const path of ['/data/metadata', '/data/checkpoints']) {
        const other = await env.openStore(path);
        expect(await refusal(env, WHOLE)).toMatch(/\/data.* (in use|uses it).*(stop|log.dirs)/s);
        await other.close();
      }
      await startsNow(env);
    });
  });

  test('damaged', async () => {
    await onHost(async (env, host) => {
      await startsNow(env);
      host.disk.corruptStore('/data/metadata');
      expect(await refusal(env, WHOLE)).toMatch(/^the metadata log in \/data cannot be opened: /);
    });
  });

  test('of which one fails: the start goes on with the others, and is refused where there is none (D-10.5)', async () => {
    await onHost(async (env, host, world) => {
      const both = parsed(configText({ 'log.dirs': '/data,/more' }));
      await startsNow(env, both);
      const offline = () => world.log.lines().filter(({ event }) => event === 'log-dir-offline');
      for (const path of ['/data', '/more']) host.disk.failNext('store', `${path}/checkpoints`);
      expect(await refusal(env, both)).toMatch(
        /^no log dir can be opened: \/data: .* injected IO; \/more: .* injected IO; mend a disk, or correct log.dirs$/,
      );
      expect(offline()).toEqual([]);
      // A failure while the starts are counted is one of that log dir, too.
      for (const fail of [
        () => host.disk.failNext('store', '/more/checkpoints', 1, 'NO_SPACE'),
        () => host.disk.failNext('read', '/more/.kafka_cleanshutdown', 1, 'PERMISSION'),
        () => host.disk.corruptStore('/more/checkpoints'),
      ]) {
        fail();
        const told = offline().length;
        await startsNow(env, both);
        expect(offline().slice(told)).toMatchObject([{ level: 'error', fields: { path: '/more' } }]);
      }
      const only = parsed(configText({ 'log.dirs': '/more', 'metadata.log.dir': '/data' }));
      expect(await refusal(env, only)).toMatch(/\/more\/checkpoints/);
    });
  });
});

test.each([
  ['9092', '/data'],
  ['9093', '/data'],
  ['9094', '/data'],
])('port %s taken: said in one sentence, and everything else is free again', async (port) => {
  await onHost(async (env) => {
    await formatStorage(env, WHOLE, CLUSTER_ID);
    const taken = await env.network.listen({ host: 'node', port: Number(port) }, () => {
      return { data: () => {}, closed: () => {} };
    });
    for (let attempt = 0; attempt < 2; attempt++) {
      const sentence = await refusal(env, WHOLE);
      expect(sentence).toContain(port);
      expect(sentence).toMatch(/another process listens there: stop that one, or change listeners$/);
    }
    await taken.close();
    await startsNow(env);
  });
});

test('a second Kafka listener that is taken frees the first', async () => {
  await onHost(async (env) => {
    const two = parsed(
      configText({
        listeners: 'PLAINTEXT://node:9092,INNER://node:9192,CONTROLLER://node:9093',
        'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,INNER:PLAINTEXT,CONTROLLER:PLAINTEXT',
        'inter.broker.listener.name': 'INNER',
      }),
    );
    await formatStorage(env, two, CLUSTER_ID);
    const taken = await env.network.listen({ host: 'node', port: 9192 }, () => {
      return { data: () => {}, closed: () => {} };
    });
    expect(await refusal(env, two)).toContain('9192');
    await taken.close();
    await startsNow(env, two);
  });
});

describe('stopping', () => {
  test('frees everything, once, however often it is asked for', async () => {
    await onHost(async (env) => {
      const node = await startOn(env, WHOLE);
      const [first, second] = [node.stop(), node.stop()];
      await Promise.all([first, second]);
      await startsNow(env);
    });
  });

  test('before it serves: `ready` says that it will not', async () => {
    await onHost(async (env) => {
      // The other two controllers do not exist, so that nobody lets the broker in.
      const alone = parsed(configText({ 'controller.quorum.voters': '1@node:9093,2@gone2:9093,3@gone3:9093' }));
      await formatStorage(env, alone, CLUSTER_ID);
      const node = await startNode(env, alone, hooks);
      await new Promise<void>((resolve) => void env.clock.schedule(3000, resolve));
      const stopped = node.stop();
      expect(await node.ready).toBe(false);
      await stopped;
      const again = await startNode(env, alone, hooks);
      await again.stop();
    });
  });

  test('with a disk that fails still frees the ports and the other folders', async () => {
    await onHost(async (env, host) => {
      const node = await startOn(env, WHOLE);
      host.disk.failNext('store', '/data/checkpoints', 100);
      host.disk.failNext('sync', '/data/.', 100);
      await node.stop().catch(() => undefined);
      host.disk.settings.errorChance.store = 0;
      for (const port of [9092, 9093, 9094]) {
        const listener = await env.network.listen({ host: 'node', port }, () => {
          return { data: () => {}, closed: () => {} };
        });
        await listener.close();
      }
      const store = await env.openStore('/data/metadata');
      await store.close();
    });
  });
});
