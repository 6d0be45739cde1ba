// AdminService's writes passed on (C-9.1): what is made again and what is not, and the names that make it safe (C-9.1c).
import { describe, expect, test } from 'vitest';
import type { AdminForwarderDeps } from '../../../src/client/admin-forwarder.ts';
import { AdminForwarder } from '../../../src/client/admin-forwarder.ts';
import { MAX_ITEMS_PER_CALL, timeToTry } from '../../../src/client/admin-writes.ts';
import { sleep } from '../../../src/env/clock.ts';
import type { Env } from '../../../src/env/env.ts';
import { RpcError } from '../../../src/env/network.ts';
import type { CommandId, CreateTopicsRequest, ElectLeadersRequest } from '../../../src/gen/kvorum/v1/admin.ts';
import { ElectionType } from '../../../src/gen/kvorum/v1/admin.ts';
import { World } from '../../../src/sim/world/world.ts';
import { uuid } from '../metadata/fixture.ts';

/** A call that reached the channel to the controllers. */
interface Passed {
  readonly method: string;
  readonly request: { readonly forwarded: boolean; readonly command?: CommandId };
  readonly timeoutMs: number;
  readonly repeatable: boolean;
  /** Answers it with an empty message that is visible from this offset on. */
  readonly answer: (metadataEndOffset?: number) => void;
  readonly fail: (error: RpcError) => void;
}

class Bench {
  readonly passed: Passed[] = [];
  /** Offsets that were waited for. */
  readonly awaited: number[] = [];
  remembers = true;
  /** Resolves when the node's image shows every result. */
  image = Promise.resolve();
  readonly forwarder: AdminForwarder;

  constructor({ clock, random }: Env) {
    const controller: AdminForwarderDeps['controller'] = {
      call: (_, { name, responseType }, request, timeoutMs, { repeatable }) =>
        new Promise((resolve, reject) => {
          this.passed.push({
            method: name,
            request: request as unknown as Passed['request'],
            timeoutMs,
            repeatable,
            answer: (metadataEndOffset = 0) => resolve({ ...responseType.decode(new Uint8Array()), metadataEndOffset }),
            fail: reject,
          });
        }),
    };
    this.forwarder = new AdminForwarder({
      clock,
      random,
      controller,
      requestTimeoutMs: 30_000,
      remembersCommands: () => this.remembers,
      whenAt: (endOffset) => {
        this.awaited.push(endOffset);
        return this.image;
      },
    });
  }

  get last(): Passed {
    const passed = this.passed.at(-1);
    if (passed === undefined) throw new Error('nothing was passed on');
    return passed;
  }

  commands(): (CommandId | undefined)[] {
    return this.passed.map(({ request }) => request.command);
  }

  create(fields: Partial<CreateTopicsRequest> = {}, remainingMs = 10_000) {
    const topic = { name: 'a', partitions: 1, replicationFactor: 1, configs: {}, assignments: [] };
    const request = { topics: [topic], validateOnly: false, forwarded: false, ...fields };
    return this.forwarder.send('createTopics', request, remainingMs);
  }
}

function inWorld(body: (bench: Bench, env: Env) => Promise<void>): Promise<void> {
  return new World({ seed: 1 }).run('client', 3_600_000, (env) => body(new Bench(env), env));
}

async function failure(call: Promise<unknown>): Promise<RpcError> {
  const error: unknown = await call.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RpcError);
  return error as RpcError;
}

describe('a write that is passed on', () => {
  test('is marked, named, and answered when this node shows the result', () =>
    inWorld(async (bench) => {
      const answer = bench.create();
      expect(bench.last).toMatchObject({ method: 'CreateTopics', repeatable: true, request: { forwarded: true } });
      expect(bench.last.request.command).toEqual({ clientId: expect.stringMatching(/^[\w-]{22}$/), sequence: 1 });
      bench.last.answer(77);
      await answer;
      expect(bench.awaited).toEqual([77]);
    }));

  test('is answered at its deadline, or when the node stops, also where this node does not show the result', () =>
    inWorld(async (bench, { clock }) => {
      bench.image = new Promise(() => undefined);
      const [late, stopped] = [bench.create({}, 1000), bench.create({}, 60_000)];
      for (const { answer } of bench.passed) answer(77);
      const from = clock.now();
      await late;
      expect(Math.floor(clock.now() - from)).toBe(950);
      bench.forwarder.close();
      await stopped;
      expect(Math.floor(clock.now() - from)).toBe(950);
      const after = bench.create({}, 60_000);
      bench.last.answer(78);
      await after;
      expect(bench.awaited).toEqual([77, 77]);
    }));

  test('keeps the name that its sender gave it', () =>
    inWorld(async (bench) => {
      const command = { clientId: uuid(3), sequence: 9 };
      void bench.create({ command });
      expect(bench.last).toMatchObject({ repeatable: true, request: { command } });
    }));

  test('is not made again below the level at which names are remembered, whoever named it', () =>
    inWorld(async (bench) => {
      bench.remembers = false;
      void bench.create();
      expect(bench.last.repeatable).toBe(false);
      expect(bench.last.request).not.toHaveProperty('command');
      void bench.create({ command: { clientId: uuid(3), sequence: 9 } });
      expect(bench.last.repeatable).toBe(false);
    }));

  test('needs no name to be checked only', () =>
    inWorld(async (bench) => {
      bench.remembers = false;
      void bench.create({ validateOnly: true });
      expect(bench.last.repeatable).toBe(true);
      expect(bench.last.request).not.toHaveProperty('command');
    }));

  test('may be a preferred election twice, an unclean one and the end of a broker once', () =>
    inWorld(async (bench) => {
      const elect = (fields: Partial<ElectLeadersRequest>): boolean => {
        const request = {
          type: ElectionType.PREFERRED,
          partitions: [],
          validateOnly: false,
          forwarded: false,
          ...fields,
        };
        void bench.forwarder.send('electLeaders', request, 1000);
        return bench.last.repeatable;
      };
      expect(elect({ type: ElectionType.PREFERRED })).toBe(true);
      expect(elect({ type: ElectionType.UNCLEAN })).toBe(false);
      expect(elect({ type: ElectionType.UNCLEAN, validateOnly: true })).toBe(true);
      void bench.forwarder.send('unregisterBroker', { brokerId: 4, forwarded: false }, 1000);
      expect(bench.last.repeatable).toBe(false);
      void bench.forwarder.send('updateFeatures', { metadataLevel: 0, validateOnly: false, forwarded: false }, 1000);
      expect(bench.last.repeatable).toBe(true);
    }));

  test('leaves its caller time to hear why it failed', () =>
    inWorld(async (bench) => {
      void bench.create({}, 10_000);
      expect(bench.last.timeoutMs).toBe(9950);
      void bench.create({}, 100);
      expect(bench.last.timeoutMs).toBe(90);
      void bench.create({}, Number.POSITIVE_INFINITY);
      expect(bench.last.timeoutMs).toBe(30_000);
      expect(timeToTry(0)).toBe(0);
      expect(timeToTry(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
    }));

  test('with too many items is refused by whoever is asked first', () =>
    inWorld(async (bench) => {
      const topics = Array.from({ length: MAX_ITEMS_PER_CALL + 1 }, (_, i) => ({ name: `t${i}`, topicId: '' }));
      const { status, message, detail } = await failure(
        bench.forwarder.send('deleteTopics', { topics, validateOnly: false, forwarded: false }, 1000),
      );
      expect(status).toBe('INVALID_ARGUMENT');
      expect(message).toBe('the call has 10001 items in topics, of 10000 possible: use several calls');
      expect(detail).toEqual({ reason: 'INVALID_topics', mayTakeEffect: false, controllerId: -1 });
      expect(bench.passed).toEqual([]);
    }));

  test('is not passed on twice', () =>
    inWorld(async (bench) => {
      const { deleteTopics } = bench.forwarder.handlers();
      const request = { topics: [], validateOnly: false, forwarded: true };
      const error = await failure(deleteTopics(request, { peer: 'p', remainingMs: 1000 }));
      expect([error.status, error.detail?.reason]).toEqual(['FAILED_PRECONDITION', 'NOT_CONTROLLER']);
      expect(bench.passed).toEqual([]);
    }));
});

describe('C-9.1c: the names of commands', () => {
  test('rise, and are used once, whatever became of the command before', () =>
    inWorld(async (bench) => {
      for (const sequence of [1, 2, 3, 4]) {
        const call = bench.create();
        expect(bench.last.request.command?.sequence).toBe(sequence);
        if (sequence % 2 === 0) bench.last.answer();
        else bench.last.fail(new RpcError('UNAVAILABLE', 'nobody knows', 'broken'));
        await call.catch(() => undefined);
      }
      expect(new Set(bench.commands().map((command) => command?.clientId)).size).toBe(1);
    }));

  test('are those of one command at a time, few, and waited for', () =>
    inWorld(async (bench) => {
      const calls = Array.from({ length: 40 }, () => bench.create());
      expect(bench.passed).toHaveLength(32);
      expect(new Set(bench.commands().map((command) => command?.clientId)).size).toBe(32);
      bench.passed[5]?.answer();
      await calls[5];
      expect(bench.passed).toHaveLength(33);
      expect(bench.last.request.command).toEqual({ ...bench.passed[5]?.request.command, sequence: 2 });
      for (let i = 0; i < 40; i++) {
        bench.passed[i]?.answer();
        await sleepless();
      }
      await Promise.all(calls);
      const used = bench.commands().map((command) => `${command?.clientId}-${command?.sequence}`);
      expect(new Set(used).size).toBe(40);
    }));

  test('who gets none in time is told that nothing was done, and is forgotten', () =>
    inWorld(async (bench, { clock }) => {
      for (let i = 0; i < 32; i++) void bench.create();
      const error = await failure(bench.create({}, 1000));
      expect([error.status, error.detail]).toEqual([
        'RESOURCE_EXHAUSTED',
        { reason: 'TOO_MANY_PENDING', mayTakeEffect: false, controllerId: -1 },
      ]);
      expect(error.message).toContain('nothing was done');
      bench.passed[0]?.answer();
      await sleep(clock, 1);
      expect(bench.passed).toHaveLength(32);
      void bench.create();
      expect(bench.passed).toHaveLength(33);
    }));

  test('no more than so many wait', () =>
    inWorld(async (bench) => {
      for (let i = 0; i < 32; i++) void bench.create();
      const waiting = Array.from({ length: 2000 }, () => bench.create({}, 60_000));
      expect(bench.passed).toHaveLength(32);
      expect((await failure(bench.create({}, 60_000))).detail?.reason).toBe('TOO_MANY_PENDING');
      bench.passed[0]?.answer();
      await sleepless();
      expect(bench.passed).toHaveLength(33);
      for (const call of waiting) call.catch(() => undefined);
    }));
});

/** Lets everything that is due run. */
async function sleepless(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}
