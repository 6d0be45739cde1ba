// The byte-stream half of the Network port. An abort is a reset for the peer: never an orderly end.
import { describe, expect, it } from 'vitest';
import { sleep } from '../../src/env/clock.ts';
import type { EnvError } from '../../src/env/error.ts';
import { isEnvError } from '../../src/env/error.ts';
import type { Address, ByteStream, Listener, StreamHandler } from '../../src/env/network.ts';
import type { Harness, World } from './harness.ts';
import { rejectionOf, signal } from './harness.ts';

const CONNECT_MS = 5000;

/** One end of a stream that keeps what it was told, and fails on callbacks that the port forbids. */
class End implements StreamHandler {
  stream: ByteStream;
  readonly chunks: Buffer[] = [];
  receivedBytes = 0;
  drains = 0;
  /** Told of the close; with the cause. */
  readonly whenClosed = signal<EnvError | undefined>();
  onData: (() => void) | undefined;
  onDrained: (() => void) | undefined;
  private closes = 0;
  private calling = false;
  private paused = false;

  constructor(stream: ByteStream) {
    this.stream = stream;
  }

  data(chunk: Buffer): void {
    this.expectOpen('data');
    expect(this.paused, 'data while paused').toBe(false);
    expect(chunk.length).toBeGreaterThan(0);
    this.chunks.push(Buffer.from(chunk));
    this.receivedBytes += chunk.length;
    this.onData?.();
  }

  closed(error?: EnvError): void {
    this.expectOpen('closed');
    this.closes += 1;
    this.whenClosed.resolve(error);
  }

  drained(): void {
    this.expectOpen('drained');
    expect(this.stream.bufferedBytes).toBe(0);
    this.drains += 1;
    this.onDrained?.();
  }

  write(...chunks: Uint8Array[]): void {
    this.guarded(() => this.stream.write(chunks));
  }

  close(how: 'flush' | 'abort'): void {
    this.guarded(() => this.stream.close(how));
  }

  pause(): void {
    this.paused = true;
    this.stream.pause();
  }

  resume(): void {
    this.paused = false;
    this.guarded(() => this.stream.resume());
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  /** Resolves when `count` bytes have come. */
  async receive(count: number): Promise<void> {
    const done = signal();
    const check = (): void => {
      if (this.receivedBytes >= count) done.resolve();
    };
    this.onData = check;
    check();
    await done.promise;
    this.onData = undefined;
  }

  private guarded(action: () => void): void {
    this.calling = true;
    action();
    this.calling = false;
  }

  private expectOpen(callback: string): void {
    expect(this.calling, `${callback} nested in a call of the stream`).toBe(false);
    expect(this.closes, `${callback} after closed`).toBe(0);
  }
}

/** A listener of `env` and one stream of `peer` to it. */
async function pair(world: World): Promise<{ listener: Listener; server: End; client: End }> {
  const accepted = signal<End>();
  const listener = await world.env.network.listen({ host: world.host, port: 0 }, (stream) => {
    const end = new End(stream);
    accepted.resolve(end);
    return end;
  });
  const client = await dial(world, listener.address);
  return { listener, server: await accepted.promise, client };
}

async function dial(world: World, address: Address): Promise<End> {
  let end: End | undefined;
  const stream = await world.peer.network.connect(address, CONNECT_MS, (attached) => {
    end = new End(attached);
    return end;
  });
  expect(end?.stream).toBe(stream);
  return end as End;
}

function pattern(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; at++) bytes[at] = (at * 31 + (at >>> 8)) & 0xff;
  return bytes;
}

function reject(): never {
  throw new Error('no stream was expected');
}

export function streamsSuite(name: string, harness: Harness): void {
  describe(`${name} streams: listening`, () => {
    it('gives the real port for port 0, and two of them', () =>
      harness.run(async ({ env, host }) => {
        const first = await env.network.listen({ host, port: 0 }, reject);
        const second = await env.network.listen({ host, port: 0 }, reject);
        expect(first.address.host).toBe(host);
        expect(first.address.port).toBeGreaterThan(0);
        expect(second.address.port).not.toBe(first.address.port);
        await Promise.all([first.close(), second.close()]);
      }));

    it('refuses a taken port with ADDRESS_IN_USE, until the listener closed', () =>
      harness.run(async ({ env, host }) => {
        const first = await env.network.listen({ host, port: 0 }, reject);
        const error = await rejectionOf(env.network.listen(first.address, reject));
        expect(isEnvError(error, 'ADDRESS_IN_USE')).toBe(true);
        await first.close();
        await first.close();
        const again = await env.network.listen(first.address, reject);
        expect(again.address).toEqual(first.address);
        await again.close();
      }));

    it('refuses connections where nobody listens with REFUSED', () =>
      harness.run(async ({ env, peer, host }) => {
        const listener = await env.network.listen({ host, port: 0 }, reject);
        await listener.close();
        const error = await rejectionOf(peer.network.connect(listener.address, CONNECT_MS, reject));
        expect(isEnvError(error, 'REFUSED')).toBe(true);
      }));

    it('closes its streams when it closes, after sending what is queued', () =>
      harness.run(async (world) => {
        const { listener, server, client } = await pair(world);
        server.write(Buffer.from('last words'));
        await listener.close();
        expect(await server.whenClosed.promise).toBeUndefined();
        expect(await client.whenClosed.promise).toBeUndefined();
        expect(client.bytes.toString()).toBe('last words');
      }));

    it('holds many streams apart', () =>
      harness.run(async (world) => {
        const listener = await world.env.network.listen({ host: world.host, port: 0 }, (stream) => ({
          data: (chunk) => stream.write([Buffer.from(chunk)]),
          closed: () => undefined,
        }));
        const clients = await Promise.all(Array.from({ length: 20 }, () => dial(world, listener.address)));
        for (const [index, client] of clients.entries()) client.write(Buffer.alloc(1000 + index, index));
        await Promise.all(clients.map((client, index) => client.receive(1000 + index)));
        for (const [index, client] of clients.entries()) {
          expect(client.bytes.equals(Buffer.alloc(1000 + index, index))).toBe(true);
          client.close('flush');
        }
        await listener.close();
      }));
  });

  describe(`${name} streams: bytes`, () => {
    it('carries bytes both ways, in order, whole', () =>
      harness.run(async (world) => {
        const { listener, server, client } = await pair(world);
        client.write(Buffer.from('a'), Buffer.from('bc'), Buffer.alloc(0));
        client.write(Buffer.from('def'));
        server.write(new Uint8Array([49, 50]));
        await Promise.all([server.receive(6), client.receive(2)]);
        client.write(Buffer.from('g'));
        await server.receive(7);
        expect(server.bytes.toString()).toBe('abcdefg');
        expect(client.bytes.toString()).toBe('12');
        client.close('flush');
        await listener.close();
      }));

    it('lets memory be used again once nothing is queued', () =>
      harness.run(async (world) => {
        const { listener, server, client } = await pair(world);
        const memory = Buffer.alloc(1_500_000);
        for (let round = 1; round <= 4; round++) {
          const drained = signal();
          client.onDrained = () => drained.resolve();
          memory.fill(round);
          client.write(memory.subarray(0, 700_000), memory.subarray(700_000));
          await drained.promise;
        }
        memory.fill(0xee);
        await server.receive(4 * memory.length);
        for (let round = 1; round <= 4; round++) {
          const part = server.bytes.subarray((round - 1) * memory.length, round * memory.length);
          expect(part.equals(Buffer.alloc(memory.length, round))).toBe(true);
        }
        await listener.close();
      }));

    it('names the peer', () =>
      harness.run(async (world) => {
        const { listener, server, client } = await pair(world);
        expect(client.stream.peer).toEqual(listener.address);
        expect(server.stream.peer.port).toBeGreaterThan(0);
        await listener.close();
      }));

    it('takes a write made inside accept and attach', () =>
      harness.run(async (world) => {
        const got = signal<string>();
        const { network } = world.env;
        const listener = await network.listen({ host: world.host, port: 0 }, (stream) => {
          stream.write([Buffer.from('welcome')]);
          return { data: (chunk) => got.resolve(chunk.toString()), closed: () => undefined };
        });
        const greeting = signal<string>();
        const stream = await world.peer.network.connect(listener.address, CONNECT_MS, (attached) => {
          attached.write([Buffer.from('hello')]);
          return { data: (chunk) => greeting.resolve(chunk.toString()), closed: () => undefined };
        });
        expect(await got.promise).toBe('hello');
        expect(await greeting.promise).toBe('welcome');
        stream.close('flush');
        await listener.close();
      }));

    it('brings 10 MB through a reader that pauses, and counts what it holds back', () =>
      harness.run(async (world) => {
        const { listener, server, client } = await pair(world);
        const sent = pattern(10_000_000);
        server.pause();
        for (let at = 0; at < sent.length; at += 100_000) client.write(sent.subarray(at, at + 100_000));
        expect(client.stream.bufferedBytes).toBeGreaterThan(0);
        expect(client.stream.bufferedBytes).toBeLessThanOrEqual(sent.length);
        await sleep(world.env.clock, 20);
        expect(server.receivedBytes).toBe(0);
        expect(client.drains).toBe(0);
        const drained = signal();
        client.onDrained = () => drained.resolve();
        const received = signal();
        server.onData = () => {
          if (server.receivedBytes >= sent.length) received.resolve();
          else if (server.receivedBytes % 7 === 0) {
            server.pause();
            world.env.clock.schedule(1, () => server.resume());
          }
        };
        server.resume();
        await Promise.all([drained.promise, received.promise]);
        expect(client.stream.bufferedBytes).toBe(0);
        expect(server.bytes.equals(sent)).toBe(true);
        client.close('flush');
        await listener.close();
      }));

    it('tells each time that the queue emptied', () =>
      harness.run(async (world) => {
        const { listener, server, client } = await pair(world);
        for (let round = 1; round <= 3; round++) {
          const drained = signal();
          client.onDrained = () => drained.resolve();
          client.write(Buffer.alloc(500));
          expect(client.stream.bufferedBytes).toBeLessThanOrEqual(500);
          await drained.promise;
          expect(client.drains).toBe(round);
        }
        await server.receive(1500);
        await listener.close();
      }));
  });

  describe(`${name} streams: closing`, () => {
    it('flushes: all bytes arrive, then both sides end without a cause', () =>
      harness.run(async (world) => {
        const { listener, server, client } = await pair(world);
        const sent = pattern(3_000_000);
        client.write(sent);
        client.close('flush');
        client.close('flush');
        expect(await server.whenClosed.promise).toBeUndefined();
        expect(await client.whenClosed.promise).toBeUndefined();
        expect(server.bytes.equals(sent)).toBe(true);
        client.write(Buffer.from('dropped'));
        expect(client.stream.bufferedBytes).toBe(0);
        await listener.close();
      }));

    it('flushes even while the peer sends: neither side loses the end', () =>
      harness.run(async (world) => {
        const { listener, server, client } = await pair(world);
        const sent = pattern(2_000_000);
        client.write(Buffer.alloc(2_000_000));
        server.write(sent);
        server.close('flush');
        expect(await client.whenClosed.promise).toBeUndefined();
        expect(client.bytes.equals(sent)).toBe(true);
        expect(await server.whenClosed.promise).toBeUndefined();
        await listener.close();
      }));

    it('brings no more data after a close here', () =>
      harness.run(async (world) => {
        const { listener, server, client } = await pair(world);
        server.write(Buffer.from('unwanted'));
        const before = client.receivedBytes;
        client.close('flush');
        await client.whenClosed.promise;
        expect(client.receivedBytes).toBe(before);
        await server.whenClosed.promise;
        await listener.close();
      }));

    it('aborts: the queue is dropped, the peer learns of a reset', () =>
      harness.run(async (world) => {
        const { listener, server, client } = await pair(world);
        client.write(Buffer.from('first'));
        await server.receive(5);
        server.pause();
        client.write(Buffer.alloc(8_000_000));
        client.close('abort');
        client.close('abort');
        expect(await client.whenClosed.promise).toBeUndefined();
        server.resume();
        const error = await server.whenClosed.promise;
        expect(isEnvError(error, 'RESET')).toBe(true);
        expect(server.receivedBytes).toBeLessThan(8_000_005);
        await listener.close();
      }));

    it('aborts an idle stream as a reset too, and drops writes afterwards', () =>
      harness.run(async (world) => {
        const { listener, server, client } = await pair(world);
        server.close('abort');
        expect(isEnvError(await client.whenClosed.promise, 'RESET')).toBe(true);
        expect(await server.whenClosed.promise).toBeUndefined();
        client.write(Buffer.from('dropped'));
        client.close('flush');
        client.close('abort');
        expect(client.stream.bufferedBytes).toBe(0);
        await listener.close();
      }));

    it('can be closed from inside data and closed', () =>
      harness.run(async (world) => {
        const ended = signal();
        const listener = await world.env.network.listen({ host: world.host, port: 0 }, (stream) => ({
          data: (chunk) => {
            stream.write([Buffer.from(chunk)]);
            stream.close('flush');
          },
          closed: () => {
            stream.close('abort');
            ended.resolve();
          },
        }));
        const client = await dial(world, listener.address);
        client.write(Buffer.from('ping'));
        expect(await client.whenClosed.promise).toBeUndefined();
        expect(client.bytes.toString()).toBe('ping');
        await ended.promise;
        await listener.close();
      }));
  });
}
