// Streams of answers under faults: silence, resets, and the end of either process.
import { describe, expect, it } from 'vitest';
import { sleep } from '../../../src/env/clock.ts';
import type { RpcMessageType } from '../../../src/env/network.ts';
import { RpcError, rpcService } from '../../../src/env/network.ts';
import type { SimProcess } from '../../../src/sim/process/process.ts';
import type { Spawned } from '../../../src/sim/world/world.ts';
import { World } from '../../../src/sim/world/world.ts';

const text: RpcMessageType<string> = {
  encode: (message) => ({ finish: () => Buffer.from(message) }),
  decode: (input) => Buffer.from(input).toString(),
};

const Ticker = {
  fullName: 'kvorum.test.Ticker',
  methods: { tick: { name: 'Tick', requestType: text, responseType: text, responseStream: true } },
} as const;

interface Setup {
  readonly world: World;
  readonly server: SimProcess;
  /** How many handlers have ended. */
  readonly ended: { count: number };
}

/** Ticks every `everyMs`, until nobody listens. */
async function ticking(everyMs: number): Promise<Setup> {
  const world = new World({ seed: 1 });
  const ended = { count: 0 };
  const server = world.process('server');
  let ready = false;
  server.start(async (env) => {
    const service = rpcService(Ticker, {
      async *tick(_request, { signal }) {
        for (let tick = 0; !signal.aborted; tick++) {
          yield String(tick);
          await sleep(env.clock, everyMs);
        }
        ended.count++;
      },
    });
    await env.network.serve({ host: '0.0.0.0', port: 9000 }, [service]);
    ready = true;
  });
  await world.runUntil(() => ready, 100);
  return { world, server, ended };
}

interface Heard {
  readonly ticks: string[];
  outcome: string;
}

function listening(world: World, timeoutMs = Number.POSITIVE_INFINITY): { heard: Heard; client: Spawned<void> } {
  const heard: Heard = { ticks: [], outcome: 'open' };
  const client = world.spawn(`client${world.processes().length}`, async (env) => {
    const rpc = env.network.client({ host: 'server', port: 9000 });
    try {
      for await (const tick of rpc.stream(Ticker, Ticker.methods.tick, '', timeoutMs)) heard.ticks.push(tick);
      heard.outcome = 'end';
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      heard.outcome = `${error.status} ${error.transport ?? ''}`.trim();
    }
  });
  return { heard, client };
}

function isInOrder({ ticks }: Heard): boolean {
  return ticks.every((tick, index) => tick === String(index));
}

describe('a stream of answers', () => {
  it('survives loss, which only makes messages late', async () => {
    const { world } = await ticking(10);
    Object.assign(world.network.defaults, { loss: 0.2 });
    const { heard } = listening(world, 5000);
    await world.runFor(10_000);
    expect(heard.outcome).toBe('DEADLINE_EXCEEDED');
    expect(heard.ticks.length).toBeGreaterThan(50);
    expect(isInOrder(heard)).toBe(true);
  });

  it('is broken by a kill of the server at once, and by its power cut after the silence', async () => {
    const killed = await ticking(10);
    const first = listening(killed.world);
    await killed.world.runFor(100);
    killed.server.kill();
    await killed.world.runFor(50);
    expect(first.heard.outcome).toBe('UNAVAILABLE broken');
    expect(isInOrder(first.heard)).toBe(true);

    const cut = await ticking(10);
    const second = listening(cut.world);
    await cut.world.runFor(100);
    cut.server.powerCut();
    await cut.world.runFor(1000);
    expect(second.heard.outcome).toBe('open');
    await cut.world.runFor(20_000);
    expect(second.heard.outcome).toBe('UNAVAILABLE broken');
  });

  it('is given up by both sides when the silence lasts, also where nothing is on the way', async () => {
    const { world, ended } = await ticking(60_000);
    const { heard } = listening(world);
    await world.runFor(100);
    world.network.isolate('server');
    await world.runFor(20_000);
    expect(heard.outcome).toBe('UNAVAILABLE broken');
    await world.runFor(100_000);
    expect(ended.count).toBe(1);
  });

  it('goes on after a short cut, and misses nothing', async () => {
    const { world } = await ticking(10);
    const { heard } = listening(world);
    await world.runFor(100);
    const before = heard.ticks.length;
    world.network.isolate('server');
    await world.runFor(1000);
    expect(heard.ticks).toHaveLength(before);
    world.network.heal();
    await world.runFor(1000);
    expect(heard.outcome).toBe('open');
    expect(heard.ticks.length).toBeGreaterThan(before + 100);
    expect(isInOrder(heard)).toBe(true);
  });

  it('ends for the handler when its caller dies', async () => {
    const { world, ended } = await ticking(10);
    const { client } = listening(world);
    await world.runFor(100);
    expect(ended.count).toBe(0);
    client.process.kill();
    await world.runFor(100);
    expect(ended.count).toBe(1);
  });

  it('is refused by a dead process, and broken by a reset', async () => {
    const { world, server } = await ticking(10);
    const { heard, client } = listening(world);
    await world.runFor(100);
    world.network.resetConnections(client.process.name, 'server');
    await world.runFor(50);
    expect(heard.outcome).toBe('UNAVAILABLE broken');
    server.kill();
    const late = listening(world);
    await world.runFor(50);
    expect(late.heard.outcome).toBe('UNAVAILABLE refused');
  });
});
