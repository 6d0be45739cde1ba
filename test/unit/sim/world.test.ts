// Runs of the simulated world: determinism, processes and their clocks, and what counts as a failure.
import { describe, expect, it } from 'vitest';
import { sleep } from '../../../src/env/clock.ts';
import type { Env } from '../../../src/env/env.ts';
import { SimulationFailure } from '../../../src/sim/world/failure.ts';
import { World } from '../../../src/sim/world/world.ts';
import { raftClient, serveRaft } from './raft-rpc.ts';

/** A node that uses every port for ever. */
async function busyNode(env: Env): Promise<void> {
  await env.disk.makeDirectory('/data');
  await env.disk.syncDirectory('/');
  const store = await env.openStore('/data/db');
  const file = await env.disk.open('/data/log', 'write');
  await serveRaft(env, async () => {
    await file.sync();
  });
  await env.network.listen({ host: 'localhost', port: 9092 }, (stream) => ({
    data: (chunk) => stream.write([Buffer.from(chunk)]),
    closed: () => undefined,
  }));
  for (let at = 0; ; at++) {
    file.write([env.random.bytes('node', 10)], at * 10);
    await store.batch([{ type: 'put', key: Buffer.from([at]), value: Buffer.from('x') }], { sync: at % 2 === 0 });
    await sleep(env.clock, env.random.below('node', 30));
  }
}

async function busyClient(env: Env): Promise<void> {
  const call = raftClient(env, 'node1');
  const stream = env.network.connect({ host: 'node1', port: 9092 }, 1000, (opened) => ({
    data: (chunk) => opened.write([Buffer.from(chunk)]),
    closed: () => env.logger.info('stream-closed'),
  }));
  stream.then(
    (opened) => opened.write([Buffer.from('hello')]),
    () => env.logger.info('not-connected'),
  );
  for (;;) {
    await call(200).then(
      () => env.logger.info('answered'),
      (error: unknown) => env.logger.info('failed', { error }),
    );
    await sleep(env.clock, 5);
  }
}

async function busyRun(seed: number): Promise<{ hash: number; log: string; events: number }> {
  const world = new World({ seed });
  Object.assign(world.network.defaults, { loss: 0.05, tailMs: 2 });
  world.network.duplicateRequests(0.1);
  const node = world.process('node1');
  node.start(busyNode);
  world.spawn('client', busyClient);
  world.after(150, () => node.pause());
  world.after(220, () => node.resume());
  world.after(300, () => {
    node.kill();
    node.start(busyNode);
  });
  world.after(500, () => node.powerCut());
  world.after(700, () => node.start(busyNode));
  await world.runFor(1500);
  return { hash: world.hash, log: world.log.format(), events: world.eventCount };
}

describe('determinism', () => {
  it('S-X1: a seed gives the same events and the same log lines each time, another seed gives others', async () => {
    const first = await busyRun(7);
    expect(first.events).toBeGreaterThan(300);
    expect(await busyRun(7)).toEqual(first);
    expect((await busyRun(8)).hash).not.toBe(first.hash);
  });
});

describe('processes', () => {
  it('a crash stops timers, and everything awaited stays pending', async () => {
    const world = new World({ seed: 1 });
    const seen: string[] = [];
    const process = world.process('node1');
    process.start(async (env) => {
      env.clock.schedule(20, () => seen.push('timer'));
      await sleep(env.clock, 5);
      seen.push('before');
      await env.disk.makeDirectory('/data');
      await sleep(env.clock, 20);
      seen.push('after');
    });
    world.after(10, () => process.kill());
    await world.runFor(100);
    expect(seen).toEqual(['before']);
    expect(process.isAlive).toBe(false);
  });

  it('a crash in the middle of an event leaves the rest of it without effect', async () => {
    const world = new World({ seed: 1 });
    const process = world.process('node1');
    process.start(async (env) => {
      const file = await env.disk.open('/a', 'create');
      file.write([Buffer.from('kept')], 0);
      process.kill();
      file.write([Buffer.from('lost')], 0);
      env.logger.info('lost');
      env.clock.schedule(1, () => env.logger.info('lost'));
      throw new Error('the last breath of a dead process');
    });
    await world.runFor(100);
    expect(process.disk.contentOf('/a').toString()).toBe('kept');
    expect(world.log.lines()).toEqual([]);
  });

  it('a paused process gets its timers and messages late, in a burst, in order', async () => {
    const world = new World({ seed: 1 });
    const seen: string[] = [];
    const process = world.process('node1');
    process.start((env) => {
      for (const ms of [10, 20, 30, 200]) {
        env.clock.schedule(ms, () => seen.push(`${ms} at ${Math.floor(world.nowMs / 10) * 10}`));
      }
    });
    world.after(15, () => process.pause());
    world.after(100, () => {
      expect(process.isPaused).toBe(true);
      process.resume();
    });
    await world.runFor(300);
    expect(seen).toEqual(['10 at 10', '20 at 100', '30 at 100', '200 at 200']);
  });

  it('S-X4: a clock of another rate moves its timers, never early by itself', async () => {
    const world = new World({ seed: 1 });
    const process = world.process('fast', { clockRate: 2 });
    const fired: number[] = [];
    const env = process.start((own) => {
      own.clock.schedule(100, () => fired.push(world.nowMs, own.clock.now()));
    });
    const startedAt = env.clock.now();
    world.after(25, () => process.setClockRate(0.5));
    await world.runFor(300);
    // 25 ms at rate 2 are 50, the other 50 take 100.
    expect(fired[0]).toBeGreaterThanOrEqual(125);
    expect(fired[0]).toBeLessThan(126);
    expect((fired[1] ?? 0) - startedAt).toBeGreaterThanOrEqual(100);
  });

  it('timers of a clock that becomes faster are not late', async () => {
    const world = new World({ seed: 1 });
    const process = world.process('slow', { clockRate: 0.1 });
    const fired: number[] = [];
    process.start((own) => {
      own.clock.schedule(100, () => fired.push(world.nowMs));
      own.clock.schedule(50, () => fired.push(-1)).cancel();
    });
    world.after(500, () => process.setClockRate(1));
    await world.runFor(2000);
    // 500 ms at rate 0.1 are 50, the other 50 take 50.
    expect(fired).toHaveLength(1);
    expect(fired[0]).toBeGreaterThanOrEqual(550);
    expect(fired[0]).toBeLessThan(551);
  });

  it('a jump of the wall clock moves no timer', async () => {
    const world = new World({ seed: 1 });
    const process = world.process('node1');
    const env = process.start();
    const [wall, now] = [env.clock.wallTime(), env.clock.now()];
    process.jumpWallClock(-3_600_000);
    expect(env.clock.wallTime()).toBe(wall - 3_600_000);
    expect(env.clock.now()).toBe(now);
  });

  it('draws other ids in its next life', async () => {
    const world = new World({ seed: 1 });
    const process = world.process('node1');
    const first = process.start().random.bytes('id', 16);
    process.kill();
    expect(process.start().random.bytes('id', 16)).not.toEqual(first);
    expect(process.lives).toBe(2);
  });
});

describe('failures', () => {
  const unhandled: Record<string, (env: Env) => Promise<void> | void> = {
    'a throw in a timer': (env) => {
      env.clock.schedule(1, () => {
        throw new Error('boom');
      });
    },
    'a rejection that nobody handles': (env) => {
      void sleep(env.clock, 1).then(() => {
        throw new Error('boom');
      });
    },
    'a rejection of main': async (env) => {
      await sleep(env.clock, 1);
      throw new Error('boom');
    },
    'a throw in a stream callback': async (env) => {
      const listener = await env.network.listen({ host: 'localhost', port: 0 }, () => {
        throw new Error('boom');
      });
      await env.network.connect(listener.address, 100, () => ({ data: () => undefined, closed: () => undefined }));
    },
  };
  for (const [name, main] of Object.entries(unhandled)) {
    it(`S-X2: ${name} fails the run, and names the seed`, async () => {
      const world = new World({ seed: 42 });
      world.process('node1').start(main);
      const failure = await world.runFor(100).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(SimulationFailure);
      expect(String(failure)).toMatch(/seed 42.*node1#1.*boom/);
      await expect(world.runFor(1)).rejects.toBe(failure);
    });
  }

  it('an error that the fault plan explains only ends the process', async () => {
    const world = new World({ seed: 1 });
    const process = world.process('node1', { judge: () => 'die' });
    process.start(() => Promise.reject(new Error('disk on fire')));
    await world.runFor(10);
    expect(process.isAlive).toBe(false);
  });

  it('a check that throws fails the run under its name', async () => {
    const world = new World({ seed: 1 });
    let broken = false;
    world.addCheck('S-R1', () => {
      if (broken) throw new Error('two leaders');
    });
    world.after(5, () => {
      broken = true;
    });
    await expect(world.runFor(10)).rejects.toThrow(/5\.000 ms.*S-R1.*two leaders/);
  });

  it('a check hears whose code ran, unless that may be anybody', async () => {
    const world = new World({ seed: 1 });
    const heard: (string | undefined)[] = [];
    world.addCheck('S-M11', (host) => heard.push(host));
    world.process('a').start((env) => sleep(env.clock, 10));
    world.process('b').start(async () => {});
    world.after(5, () => {});
    await world.runFor(20);
    expect(heard).toEqual(['a', 'b', undefined, 'a']);
  });

  it('a condition that is not reached fails the run, and virtual time has passed', async () => {
    const world = new World({ seed: 1 });
    await expect(world.runUntil(() => false, 1000, 'a leader')).rejects.toThrow(/a leader: not reached within 1000 ms/);
    expect(world.nowMs).toBe(1000);
  });

  it('gives back what client code returned', async () => {
    const world = new World({ seed: 1 });
    const value = await world.run('client', 1000, async (env) => {
      await sleep(env.clock, 500);
      return 42;
    });
    expect(value).toBe(42);
    expect(world.nowMs).toBeGreaterThanOrEqual(500);
  });
});
