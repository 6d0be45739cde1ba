// Listening for and opening simulated byte streams. The handshake takes a round trip; a host without power or behind a
// cut link does not answer, a host without the listener refuses.

import type { Clock } from '../../env/clock.ts';
import { EnvError } from '../../env/error.ts';
import type { Address, ByteStream, Listener, StreamHandler } from '../../env/network.ts';
import type { SimEvent } from '../world/event.ts';
import type { Incarnation } from '../world/incarnation.ts';
import { Endpoint } from './endpoint.ts';
import type { Fabric } from './fabric.ts';
import type { Binding } from './hosts.ts';
import { hostNamed } from './hosts.ts';

/** A handshake message without an answer is sent again after so long. */
const HANDSHAKE_RETRY_US = 1_000_000;
/** How long the close of a listener lets its streams send what is queued. */
const CLOSE_LIMIT_MS = 1000;

export function listenStreams(
  fabric: Fabric,
  incarnation: Incarnation,
  clock: Clock,
  at: Address,
  accept: (stream: ByteStream) => StreamHandler,
): Promise<Listener> {
  const streams = new Set<Endpoint>();
  let whenEmpty: (() => void) | undefined;
  const binding: Binding = {
    incarnation,
    services: undefined,
    accept(stream) {
      const endpoint = stream as Endpoint;
      streams.add(endpoint);
      endpoint.whenOver = () => {
        streams.delete(endpoint);
        if (streams.size === 0) whenEmpty?.();
      };
      return accept(stream);
    },
  };
  return bindSoon(fabric, incarnation, at, binding, () => {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        fabric.scheduler.schedule(1, 'listener', incarnation, resolve);
      };
      const timer = clock.schedule(CLOSE_LIMIT_MS, () => {
        for (const stream of [...streams]) stream.close('abort');
      });
      if (streams.size === 0) done();
      whenEmpty = done;
      for (const stream of [...streams]) stream.close('flush');
    });
  });
}

/** Binds in an event of its own, and unbinds when the listener is closed; `end` waits for what the listener had. */
export function bindSoon(
  fabric: Fabric,
  incarnation: Incarnation,
  at: Address,
  binding: Binding,
  end: () => Promise<void>,
): Promise<Listener> {
  const host = fabric.host(incarnation.host);
  return new Promise((resolve, reject) => {
    fabric.scheduler.schedule(
      1,
      'listener',
      incarnation,
      () => {
        let address: Address;
        try {
          address = host.bind(at, binding);
        } catch (error) {
          reject(error);
          return;
        }
        let closing: Promise<void> | undefined;
        const close = (): Promise<void> => {
          if (incarnation.isDead) return new Promise(() => undefined);
          host.unbind(address.port, binding);
          closing ??= end();
          return closing;
        };
        resolve({ address, close });
      },
      at.port,
    );
  });
}

/** One attempt to connect. */
interface Attempt {
  readonly incarnation: Incarnation;
  readonly to: Address;
  readonly here: string;
  readonly there: string;
  readonly attach: (stream: ByteStream) => StreamHandler;
  readonly settle: (outcome: ByteStream | EnvError) => void;
  isOver: boolean;
}

export function connectStream(
  fabric: Fabric,
  incarnation: Incarnation,
  clock: Clock,
  to: Address,
  timeoutMs: number,
  attach: (stream: ByteStream) => StreamHandler,
): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    if (incarnation.isDead) return;
    const here = incarnation.host;
    const name = `${to.host}:${to.port}`;
    const attempt: Attempt = {
      incarnation,
      to,
      here,
      there: hostNamed(to.host, here),
      attach,
      isOver: false,
      settle(outcome) {
        attempt.isOver = true;
        timer.cancel();
        if (outcome instanceof EnvError) reject(outcome);
        else resolve(outcome);
      },
    };
    const timer = clock.schedule(timeoutMs, () =>
      attempt.settle(new EnvError('TIMED_OUT', `no connection to ${name} within ${timeoutMs} ms`)),
    );
    knock(fabric, attempt, fabric.links.latencyUs(here, attempt.there));
  });
}

/** The first message of the handshake travels. */
function knock(fabric: Fabric, attempt: Attempt, delayUs: number): SimEvent {
  const { here, there, incarnation } = attempt;
  return fabric.scheduler.schedule(
    delayUs,
    'stream-open',
    undefined,
    () => {
      if (attempt.isOver || incarnation.isDead) return;
      const host = fabric.host(there);
      if (!host.isPowered || fabric.links.loses(here, there)) {
        knock(fabric, attempt, HANDSHAKE_RETRY_US);
        return;
      }
      const binding = host.binding(attempt.to.port);
      if (binding?.accept === undefined) answer(fabric, attempt, () => refuse(attempt));
      else establish(fabric, attempt, binding);
    },
    attempt.to.port,
  );
}

function refuse(attempt: Attempt): void {
  attempt.settle(new EnvError('REFUSED', `nobody listens on ${attempt.to.host}:${attempt.to.port}`));
}

/** The handshake reached a listener: both ends exist, the caller learns of it half a round trip later. */
function establish(fabric: Fabric, attempt: Attempt, binding: Binding): void {
  const { cable } = fabric;
  const port = fabric.host(attempt.here).ephemeralPort();
  const client = new Endpoint(cable, attempt.incarnation, attempt.to);
  const server = new Endpoint(cable, binding.incarnation, { host: attempt.here, port });
  client.remote = server;
  server.remote = client;
  cable.remember(client);
  cable.remember(server);
  server.lastArrivalUs = answer(
    fabric,
    attempt,
    () => {
      if (client.isClosed) {
        attempt.settle(new EnvError('RESET', `${attempt.to.host}:${attempt.to.port} reset the new connection`));
        return;
      }
      client.attach(attempt.attach(client));
      attempt.settle(client);
    },
    client,
  );
  fabric.scheduler.deliver('stream-open', binding.incarnation, () => {
    if (!server.isClosed && binding.accept !== undefined) server.attach(binding.accept(server));
  });
}

/** The answer of the handshake travels back; again and again while the link is down. Returns when it should arrive. */
function answer(fabric: Fabric, attempt: Attempt, arrived: () => void, opened?: Endpoint): number {
  const { scheduler, links } = fabric;
  const travel = (delayUs: number): void => {
    scheduler.schedule(
      delayUs,
      'stream-open',
      attempt.incarnation,
      () => {
        if (attempt.isOver) opened?.abort();
        else if (links.loses(attempt.there, attempt.here)) travel(HANDSHAKE_RETRY_US);
        else arrived();
      },
      attempt.to.port,
    );
  };
  const delayUs = links.latencyUs(attempt.there, attempt.here);
  travel(delayUs);
  return scheduler.nowUs + delayUs;
}
