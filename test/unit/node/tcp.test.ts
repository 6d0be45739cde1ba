// TCP as such: names, IPv6, addresses that cannot be used, time-outs.
import { describe, expect, it } from 'vitest';
import type { StreamHandler } from '../../../src/env/network.ts';
import { createEnv } from '../../../src/node/env.ts';

const { network } = createEnv({ level: 'silent' });

const silent: StreamHandler = { data: () => undefined, closed: () => undefined };

/** Sends `hello` to a listener on `host` and returns what came back. */
async function echo(host: string): Promise<string> {
  const listener = await network.listen({ host, port: 0 }, (stream) => ({
    data: (chunk) => stream.write([Buffer.from(chunk)]),
    closed: () => undefined,
  }));
  const answer = await new Promise<string>((resolve, reject) => {
    network
      .connect(listener.address, 5000, (stream) => {
        stream.write([Buffer.from('hello')]);
        return {
          data: (chunk) => {
            resolve(chunk.toString());
            stream.close('flush');
          },
          closed: () => undefined,
        };
      })
      .catch(reject);
  });
  await listener.close();
  return answer;
}

describe('tcp', () => {
  it('listens on and connects to localhost by name', async () => {
    expect(await echo('localhost')).toBe('hello');
  });

  it('speaks IPv6 where the machine does', async () => {
    const available = await network
      .listen({ host: '::1', port: 0 }, () => silent)
      .then(
        async (listener) => {
          await listener.close();
          return true;
        },
        () => false,
      );
    if (available) expect(await echo('::1')).toBe('hello');
  });

  it('answers ADDRESS_UNAVAILABLE for an address of another machine', async () => {
    const listening = network.listen({ host: '203.0.113.1', port: 0 }, () => silent);
    await expect(listening).rejects.toMatchObject({ code: 'ADDRESS_UNAVAILABLE' });
    const serving = network.serve({ host: '203.0.113.1', port: 0 }, []);
    await expect(serving).rejects.toMatchObject({ code: 'ADDRESS_UNAVAILABLE' });
  });

  it('gives up a connection that takes too long', async () => {
    const listener = await network.listen({ host: '127.0.0.1', port: 0 }, () => silent);
    const connecting = network.connect(listener.address, 0, () => silent);
    // Busy until the time is over: the timer comes first in the next turn, before the connection is looked at.
    for (const startedAt = performance.now(); performance.now() < startedAt + 5; );
    await expect(connecting).rejects.toMatchObject({ code: 'TIMED_OUT' });
    await listener.close();
  });
});
