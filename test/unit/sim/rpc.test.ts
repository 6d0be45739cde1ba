// RPC under faults: loss, duplicates, cut links, and the end of either process.
import { describe, expect, it } from 'vitest';
import { sleep } from '../../../src/env/clock.ts';
import { RpcError } from '../../../src/env/network.ts';
import type { SimProcess } from '../../../src/sim/process/process.ts';
import type { Spawned } from '../../../src/sim/world/world.ts';
import { World } from '../../../src/sim/world/world.ts';
import { raftClient, serveRaft } from './raft-rpc.ts';

interface Setup {
  readonly world: World;
  readonly server: SimProcess;
  /** Epochs of the requests that reached the handler. */
  readonly handled: number[];
}

/** A server whose handler takes `handlerMs`. */
async function serving(seed: number, handlerMs = 0): Promise<Setup> {
  const world = new World({ seed });
  const handled: number[] = [];
  const server = world.process('server');
  let ready = false;
  server.start(async (env) => {
    await serveRaft(env, async ({ epoch }) => {
      handled.push(epoch);
      await sleep(env.clock, handlerMs);
    });
    ready = true;
  });
  await world.runUntil(() => ready, 100);
  return { world, server, handled };
}

/** Makes `count` calls at once; how each ended, as `status transport`. */
function calling(world: World, timeoutMs: number, count = 1): Spawned<string[]> {
  return world.spawn(`client${world.processes().length}`, async (env) => {
    const call = raftClient(env, 'server');
    const one = async (epoch: number): Promise<string> => {
      try {
        await call(timeoutMs, { epoch });
        return 'ok';
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        return `${error.status} ${error.transport ?? ''}`.trim();
      }
    };
    return Promise.all(Array.from({ length: count }, (_, index) => one(index)));
  });
}

async function outcome(world: World, calls: Spawned<string[]>): Promise<string[]> {
  await world.runUntil(() => calls.isDone, 60_000);
  return calls.value;
}

describe('lost messages', () => {
  it('request and response are lost separately: the caller waits out its deadline, the handler may have run', async () => {
    const { world, handled } = await serving(1);
    Object.assign(world.network.defaults, { loss: 0.3 });
    const outcomes = await outcome(world, calling(world, 500, 200));
    const answered = outcomes.filter((each) => each === 'ok').length;
    expect(outcomes.filter((each) => each === 'DEADLINE_EXCEEDED')).toHaveLength(200 - answered);
    expect(answered).toBeGreaterThan(60);
    expect(answered).toBeLessThan(handled.length);
    expect(handled.length).toBeLessThan(180);
  });

  it('a one-way cut of the way back: the handler runs, nobody hears of it', async () => {
    const { world, handled } = await serving(1);
    const calls = calling(world, 500);
    world.network.cut('server', calls.process.name);
    expect(await outcome(world, calls)).toEqual(['DEADLINE_EXCEEDED']);
    expect(handled).toEqual([0]);
  });

  it('a call without a near deadline ends as broken when the silence lasts', async () => {
    const { world } = await serving(1);
    const calls = calling(world, Number.POSITIVE_INFINITY);
    world.network.isolate('server');
    expect(await outcome(world, calls)).toEqual(['UNAVAILABLE broken']);
  });

  it('works again after the partition', async () => {
    const { world } = await serving(1);
    world.network.isolate('server');
    world.network.heal();
    expect(await outcome(world, calling(world, 500))).toEqual(['ok']);
  });
});

describe('duplicates', () => {
  it('a request may run twice, and is answered once', async () => {
    const { world, handled } = await serving(1);
    world.network.duplicateRequests(0.5, 100);
    const outcomes = await outcome(world, calling(world, 500, 40));
    expect(outcomes).toEqual(Array.from({ length: 40 }, () => 'ok'));
    await world.runFor(200);
    expect(handled.length).toBeGreaterThan(50);
    expect(new Set(handled).size).toBe(40);
  });
});

describe('the end of a process', () => {
  it('a dead process refuses', async () => {
    const { world, server, handled } = await serving(1);
    server.kill();
    expect(await outcome(world, calling(world, 500))).toEqual(['UNAVAILABLE refused']);
    expect(handled).toEqual([]);
  });

  it('a kill breaks the running calls at once; a power cut leaves them to their deadlines', async () => {
    const killed = await serving(1, 10_000);
    const broken = calling(killed.world, 5000);
    await killed.world.runFor(100);
    killed.server.kill();
    await killed.world.runFor(50);
    expect(broken.value).toEqual(['UNAVAILABLE broken']);

    const cut = await serving(1, 10_000);
    const silent = calling(cut.world, 5000);
    await cut.world.runFor(100);
    cut.server.powerCut();
    await cut.world.runFor(4000);
    expect(silent.isDone).toBe(false);
    expect(await outcome(cut.world, silent)).toEqual(['DEADLINE_EXCEEDED']);
  });

  it('M-6: an answer for a former life reaches nobody', async () => {
    const { world, handled } = await serving(1, 100);
    const calls = calling(world, 5000);
    await world.runFor(50);
    calls.process.kill();
    const second = world.process(calls.process.name);
    second.start();
    await world.runFor(1000);
    expect(handled).toEqual([0]);
    expect(calls.isDone).toBe(false);
  });

  it('a paused server answers when it resumes', async () => {
    const { world, server } = await serving(1);
    server.pause();
    const calls = calling(world, 5000);
    await world.runFor(2000);
    expect(calls.isDone).toBe(false);
    server.resume();
    await world.runFor(10);
    expect(calls.value).toEqual(['ok']);
  });

  it('a reset of the connections breaks running calls', async () => {
    const { world } = await serving(1, 1000);
    const calls = calling(world, 5000);
    await world.runFor(100);
    world.network.resetConnections(calls.process.name, 'server');
    await world.runFor(10);
    expect(calls.value).toEqual(['UNAVAILABLE broken']);
  });
});

describe('late messages', () => {
  it('arrive when their callers have given up, and after later ones', async () => {
    const { world, handled } = await serving(1);
    Object.assign(world.network.defaults, { late: 0.5, lateMs: 5000 });
    const calls = calling(world, 300, 20);
    await world.runFor(400);
    expect(calls.isDone).toBe(true);
    const [inTime, answered] = [handled.length, calls.value.filter((how) => how === 'ok').length];
    expect(answered).toBeGreaterThan(0);
    expect(inTime).toBeLessThan(20);
    await world.runFor(10_000);
    expect(handled).toHaveLength(20);
    expect(handled).not.toEqual(handled.toSorted((a, b) => a - b));
  });
});

describe('bugs', () => {
  it('S-X2: what a handler throws, if it is no RpcError, fails the run', async () => {
    const world = new World({ seed: 1 });
    world.process('server').start(async (env) => {
      await serveRaft(env, () => Promise.reject(new TypeError('undefined is not a function')));
      calling(world, 500);
    });
    await expect(world.runFor(100)).rejects.toThrow(/server#1: TypeError/);
  });
});
