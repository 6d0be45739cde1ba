// Calls that are repeated as far as that is safe, at scripted servers in a time that the test moves.
import { describe, expect, it } from 'vitest';
import type { CallKind } from '../../../src/cli/patient-call.ts';
import { callPatiently } from '../../../src/cli/patient-call.ts';
import { RpcError } from '../../../src/env/network.ts';

const detail = (mayTakeEffect: boolean) => ({ reason: 'NOT_CONTROLLER', mayTakeEffect, controllerId: 2 });

const refused = new RpcError('UNAVAILABLE', 'connection refused', 'refused');
const broken = new RpcError('UNAVAILABLE', 'connection dropped', 'broken');
const noController = new RpcError('UNAVAILABLE', 'no controller is active', undefined, detail(false));
const lostController = new RpcError('UNAVAILABLE', 'nobody knows', undefined, detail(true));
const late = new RpcError('DEADLINE_EXCEEDED', 'Deadline exceeded');
const invalid = new RpcError('INVALID_ARGUMENT', 'topics: name one');

/** Each answer of the script takes 10 ms, but a late one all that it is given; the last is repeated. */
async function call(kind: CallKind, servers: string[], script: (RpcError | 'done')[], remembers: boolean[] = [true]) {
  const timeoutMs = 10_000;
  let time = 0;
  let questions = 0;
  const sent: string[] = [];
  const result = await callPatiently(
    {
      kind,
      servers,
      timeoutMs,
      now: () => time,
      wait: (ms) => {
        time += ms;
        return Promise.resolve();
      },
      remembersNames: () => {
        const answer = remembers[questions++];
        return answer === undefined ? Promise.reject(refused) : Promise.resolve(answer);
      },
    },
    (server, attemptMs) => {
      const answer = script[Math.min(sent.length, script.length - 1)];
      sent.push(server);
      time += answer === late ? attemptMs : 10;
      return answer instanceof RpcError ? Promise.reject(answer) : Promise.resolve(answer);
    },
  ).catch((error: unknown) => (error as Error).message);
  return { result, sent, time, questions };
}

describe('a question', () => {
  it('goes to the next server when one is not there, hangs or cannot answer', async () => {
    for (const failure of [refused, broken, noController, late]) {
      const { result, sent, time } = await call('read', ['a:1', 'b:1'], [failure, 'done']);
      expect({ result, sent }).toEqual({ result: 'done', sent: ['a:1', 'b:1'] });
      expect(time).toBeLessThanOrEqual(5010);
    }
  });

  it('is put once to each', async () => {
    const { result, sent } = await call('read', ['a:1', 'b:1'], [noController]);
    expect({ result, sent }).toEqual({ result: 'no controller is active', sent: ['a:1', 'b:1'] });
  });

  it('has a final answer that is an error', async () => {
    expect(await call('read', ['a:1', 'b:1'], [invalid])).toMatchObject({ result: 'topics: name one', sent: ['a:1'] });
  });
});

describe('a command with a name', () => {
  it('is repeated until it is answered', async () => {
    const { result, sent } = await call('named', ['a:1'], [broken, refused, noController, lostController, 'done']);
    expect({ result, attempts: sent.length }).toEqual({ result: 'done', attempts: 5 });
  });

  it('takes turns between the servers', async () => {
    const { sent } = await call('named', ['a:1', 'b:1'], [broken, refused, refused, noController, 'done']);
    expect(sent).toEqual(['a:1', 'b:1', 'a:1', 'b:1', 'a:1']);
  });

  it('is given up in time, and then says what is known of its outcome', async () => {
    const doubt = '; whether it was done is not known: look before you do it again';
    for (const [script, says] of [
      [[broken], `the connection to a:1 broke${doubt}`],
      [[broken, refused], `nothing answers at a:1 any more${doubt}`],
      [[broken, noController], `no controller is active${doubt}`],
      [[noController, broken], `the connection to a:1 broke (before that: no controller is active)${doubt}`],
      [[noController], 'no controller is active'],
      [[lostController], 'nobody knows'],
    ] as const) {
      const { result, sent, time } = await call('named', ['a:1'], [...script]);
      expect(result).toBe(says);
      expect(sent.length).toBeGreaterThan(5);
      expect(time).toBeLessThanOrEqual(script.some((it) => it !== noController) ? 10_000 : 5000);
    }
    expect((await call('named', ['a:1'], [noController, late])).result).toBe(
      `no controller is active; then the 10000 ms of --timeout were over${doubt}`,
    );
    expect((await call('named', ['a:1'], [late])).result).toBe(
      `no answer from a:1 in time: see whether it hangs, give more with --timeout, or ask another with --server${doubt}`,
    );
  });

  it('is not repeated by a cluster that does not remember names', async () => {
    const says = 'the connection to a:1 broke; whether it was done is not known: look before you do it again';
    expect(await call('named', ['a:1', 'b:1'], [broken, 'done'], [false])).toMatchObject({
      result: says,
      sent: ['a:1'],
    });
    const undone = await call('named', ['a:1'], [noController, 'done'], [false]);
    expect(undone).toMatchObject({ result: 'done', questions: 0 });
  });

  it('waits for somebody who knows whether names are remembered', async () => {
    expect(await call('named', ['a:1', 'b:1'], [broken, 'done'], [])).toMatchObject({
      result: expect.stringContaining('whether it was done is not known'),
      sent: ['a:1'],
    });
  });

  it('fails at once where nobody is there', async () => {
    const says = 'nothing answers at a:1, b:1: start the node, or name another with --server';
    expect(await call('named', ['a:1', 'b:1'], [refused])).toMatchObject({ result: says, time: 20 });
  });
});

describe('a change without a name', () => {
  it('is repeated as long as it was surely not carried out', async () => {
    const { result, sent } = await call('unnamed', ['a:1', 'b:1'], [refused, noController, noController, 'done']);
    expect({ result, attempts: sent.length }).toEqual({ result: 'done', attempts: 4 });
  });

  it('is not repeated once nobody knows', async () => {
    for (const failure of [broken, lostController, late]) {
      const { result, sent } = await call('unnamed', ['a:1', 'b:1'], [refused, failure, 'done']);
      expect(sent).toEqual(['a:1', 'b:1']);
      expect(result).toContain(failure === lostController ? 'nobody knows' : 'whether it was done is not known');
    }
  });
});
