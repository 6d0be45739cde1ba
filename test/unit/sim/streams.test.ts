// Byte streams under faults: what peers learn of kills, power cuts and cut links.
import { describe, expect, it } from 'vitest';
import { isEnvError } from '../../../src/env/error.ts';
import type { ByteStream, StreamHandler } from '../../../src/env/network.ts';
import type { SimProcess } from '../../../src/sim/process/process.ts';
import { World } from '../../../src/sim/world/world.ts';

const PORT = 9092;
const AT = { host: 'server', port: PORT };

/** One end of a stream and what it was told. */
interface Seen extends StreamHandler {
  stream: ByteStream | undefined;
  text: string;
  closedAtMs: number | undefined;
  error: string | undefined;
}

function watch(world: World): Seen {
  const seen: Seen = {
    stream: undefined,
    text: '',
    closedAtMs: undefined,
    error: undefined,
    data: (chunk) => {
      seen.text += chunk.toString('latin1');
    },
    closed: (error) => {
      seen.closedAtMs = world.nowMs;
      seen.error = error?.code;
    },
  };
  return seen;
}

interface Pair {
  readonly world: World;
  readonly server: SimProcess;
  readonly client: SimProcess;
  readonly atServer: Seen;
  readonly atClient: Seen;
}

/** A connected stream between the processes `client` and `server`. */
async function connected(seed: number): Promise<Pair> {
  const world = new World({ seed });
  const [server, client] = [world.process('server'), world.process('client')];
  const [atServer, atClient] = [watch(world), watch(world)];
  server.start(async ({ network }) => {
    await network.listen({ host: '0.0.0.0', port: PORT }, (stream) => Object.assign(atServer, { stream }));
    client.start(async (env) => {
      await env.network.connect(AT, 1000, (stream) => Object.assign(atClient, { stream }));
    });
  });
  await world.runUntil(() => atClient.stream !== undefined, 1000);
  return { world, server, client, atServer, atClient };
}

/** How an attempt to connect from `client` ends, and when. */
async function attempt(world: World, timeoutMs: number): Promise<[outcome: string, afterMs: number]> {
  const startedAt = world.nowMs;
  const outcome = await world.run(`client${world.processes().length}`, 60_000, async ({ network }) => {
    const handler = { data: () => undefined, closed: () => undefined };
    try {
      await network.connect(AT, timeoutMs, () => handler);
      return 'connected';
    } catch (error) {
      return isEnvError(error) ? error.code : String(error);
    }
  });
  return [outcome, world.nowMs - startedAt];
}

describe('connecting', () => {
  it('is refused where no process lives or nobody listens', async () => {
    const world = new World({ seed: 1 });
    const server = world.process('server');
    expect((await attempt(world, 1000))[0]).toBe('REFUSED');
    server.start();
    expect((await attempt(world, 1000))[0]).toBe('REFUSED');
    server.kill();
    expect((await attempt(world, 1000))[0]).toBe('REFUSED');
  });

  it('times out behind a cut link and on a host without power, and works again afterwards', async () => {
    const { world, server } = await connected(1);
    for (const [from, to] of [
      ['server', 'client2'],
      ['client3', 'server'],
    ] as const) {
      world.network.cut(from, to);
      const [outcome, afterMs] = await attempt(world, 700);
      expect(outcome).toBe('TIMED_OUT');
      expect(afterMs).toBeGreaterThanOrEqual(700);
    }
    expect((await attempt(world, 700))[0]).toBe('connected');
    server.powerCut();
    expect((await attempt(world, 700))[0]).toBe('TIMED_OUT');
    server.start();
    expect((await attempt(world, 700))[0]).toBe('REFUSED');
  });

  it('succeeds with a paused process, which accepts when it resumes', async () => {
    const { world, server } = await connected(1);
    server.pause();
    expect((await attempt(world, 700))[0]).toBe('connected');
  });
});

describe('the end of a process', () => {
  it('a killed process: the peer gets what had left, then an end or a reset within a moment', async () => {
    const endings = new Set<string | undefined>();
    for (let seed = 0; seed < 20; seed++) {
      const { world, server, atServer, atClient } = await connected(seed);
      atServer.stream?.write([Buffer.from('last words')]);
      server.kill();
      await world.runFor(50);
      expect(atClient.text).toBe('last words');
      expect(atClient.closedAtMs).toBeDefined();
      expect(atServer.closedAtMs).toBeUndefined();
      endings.add(atClient.error);
    }
    expect(endings).toEqual(new Set([undefined, 'RESET']));
  });

  it('a power cut: silence, and a reset when the peer gives up', async () => {
    const { world, server, atClient } = await connected(1);
    server.powerCut();
    await world.runFor(9000);
    expect(atClient.closedAtMs).toBeUndefined();
    await world.runFor(2000);
    expect(atClient.error).toBe('RESET');
  });

  it('a restarted host resets what the peer sends to its former life', async () => {
    const { world, server, atClient } = await connected(1);
    server.powerCut();
    server.start();
    await world.runFor(100);
    expect(atClient.closedAtMs).toBeUndefined();
    atClient.stream?.write([Buffer.from('hello?')]);
    await world.runFor(100);
    expect(atClient.error).toBe('RESET');
  });

  it('a paused process gets its bytes when it resumes', async () => {
    const { world, server, atServer, atClient } = await connected(1);
    server.pause();
    atClient.stream?.write([Buffer.from('wake up')]);
    await world.runFor(5000);
    expect(atServer.text).toBe('');
    server.resume();
    await world.runFor(1);
    expect(atServer.text).toBe('wake up');
  });
});

describe('cut links', () => {
  it('a short cut delays the bytes and keeps their order', async () => {
    const { world, atServer, atClient } = await connected(1);
    world.network.partition(['client'], ['server']);
    atClient.stream?.write([Buffer.from('one ')]);
    await world.runFor(100);
    atClient.stream?.write([Buffer.from('two ')]);
    await world.runFor(3000);
    expect(atServer.text).toBe('');
    world.network.heal();
    atClient.stream?.write([Buffer.from('three')]);
    await world.runFor(1000);
    expect(atServer.text).toBe('one two three');
    await world.runFor(20_000);
    expect(atClient.closedAtMs).toBeUndefined();
  });

  it('a long cut resets whoever has something on the way, and only that end', async () => {
    const { world, atServer, atClient } = await connected(1);
    world.network.isolate('client');
    atClient.stream?.write([Buffer.from('lost')]);
    await world.runFor(12_000);
    expect([atClient.error, atServer.closedAtMs]).toEqual(['RESET', undefined]);
    world.network.heal();
    atServer.stream?.write([Buffer.from('still there?')]);
    await world.runFor(1000);
    expect(atServer.error).toBe('RESET');
  });

  it('a one-way cut lets the bytes through, and resets the sender who is never acknowledged', async () => {
    const { world, atServer, atClient } = await connected(1);
    world.network.cut('server', 'client');
    atClient.stream?.write([Buffer.from('one way')]);
    await world.runFor(100);
    expect(atServer.text).toBe('one way');
    atServer.stream?.write([Buffer.from('answer')]);
    await world.runFor(12_000);
    expect([atClient.text, atClient.error, atServer.error]).toEqual(['', 'RESET', 'RESET']);
  });

  it('a lossy link loses no bytes of a stream, only time', async () => {
    const { world, atServer, atClient } = await connected(1);
    world.network.setLink('client', 'server', { loss: 0.3, latencyMs: 5 });
    const sent = Array.from({ length: 200 }, (_, index) => String(index)).join();
    for (const [index, part] of sent.split(',').entries()) {
      atClient.stream?.write([Buffer.from(index === 0 ? part : `,${part}`)]);
      await world.runFor(5);
    }
    await world.runFor(60_000);
    expect(atServer.text).toBe(sent);
  });

  it('a reset breaks both ends', async () => {
    const { world, atServer, atClient } = await connected(1);
    world.network.resetConnections('server', 'client');
    await world.runFor(10);
    expect([atServer.error, atClient.error]).toEqual(['RESET', 'RESET']);
  });
});

describe('what handlers get', () => {
  it('a chunk is garbage after data returned, and the stream splits at random', async () => {
    const { world, atServer, atClient } = await connected(1);
    const kept: Buffer[] = [];
    atServer.data = (chunk) => kept.push(chunk);
    world.network.splitSegments(1);
    atClient.stream?.write([Buffer.from('hello')]);
    await world.runFor(10);
    expect(kept).toHaveLength(2);
    expect(Buffer.concat(kept)).toEqual(Buffer.alloc(5, 0xdb));
  });
});
