// The queue before the state machine: loads take their time, and everything behind them waits in order.
import { describe, expect, test } from 'vitest';
import type { Clock, Timer } from '../../../src/env/clock.ts';
import { ApplyQueue } from '../../../src/quorum/apply-queue.ts';
import type { StateMachine } from '../../../src/quorum/state-machine.ts';
import type { Batch, Snapshot } from '../../../src/raft/types.ts';

/** A clock that moves a millisecond with each look; timers run when the test says so. */
class TickingClock implements Clock {
  #now = 0;
  readonly due: (() => void)[] = [];

  now(): number {
    return this.#now++;
  }

  wallTime(): number {
    return 0;
  }

  schedule(_delayMs: number, callback: () => void): Timer {
    this.due.push(callback);
    return { cancel: () => void this.due.splice(this.due.indexOf(callback), 1) };
  }
}

function batch(baseOffset: number, control = false): Batch {
  return { baseOffset, epoch: 1, control, records: [Buffer.from('record')] };
}

function snapshot(endOffset: number): Snapshot {
  return { id: { endOffset, epoch: 1 }, voters: [], sizeBytes: 1 };
}

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

function harness() {
  const seen: string[] = [];
  const loads: { finish(): void; fail(error: Error): void }[] = [];
  const clock = new TickingClock();
  let sabotage: Error | undefined;
  const machine: StateMachine = {
    apply: ({ baseOffset, records }) => {
      if (sabotage !== undefined) throw sabotage;
      seen.push(`apply ${baseOffset}${records.length === 0 ? ' control' : ''}`);
    },
    load: ({ endOffset }) =>
      new Promise((resolve, reject) => {
        seen.push(`load ${endOffset}`);
        loads.push({ finish: resolve, fail: reject });
      }),
    snapshot: () => [],
    claim: (epoch) => void seen.push(`claim ${epoch}`),
    renounce: (epoch) => void seen.push(`renounce ${epoch}`),
    leaderChanged: (leaderId) => void seen.push(`leader ${leaderId}`),
  };
  const queue = new ApplyQueue({
    machine: () => machine,
    clock,
    read: async function* () {},
    applied: (endOffset, epoch, { bytes }) => void seen.push(`applied ${endOffset} ${epoch} ${bytes}`),
    loaded: ({ id }) => void seen.push(`loaded ${id.endOffset}`),
    failed: (reason) => void seen.push(`failed: ${reason}`),
  });
  const take = (): string[] => seen.splice(0);
  return { queue, clock, loads, take, fail: (error: Error) => void (sabotage = error) };
}

test('commits and claims wait for the load before them; control batches come without records', async () => {
  const { queue, loads, take } = harness();
  queue.load(snapshot(5));
  queue.commit([batch(5), batch(6, true)]);
  queue.claim(1);
  await settle();
  expect(take()).toEqual(['load 5']);
  loads[0]?.finish();
  await settle();
  expect(take()).toEqual(['loaded 5', 'applied 5 1 0', 'apply 5', 'apply 6 control', 'applied 7 1 12', 'claim 1']);
  queue.commit([batch(7)]);
  expect(take()).toEqual(['apply 7', 'applied 8 1 6']);
});

test('a snapshot that comes while one is loaded replaces it and what waited behind it', async () => {
  const { queue, loads, take } = harness();
  queue.load(snapshot(5));
  queue.commit([batch(5)]);
  queue.load(snapshot(9));
  queue.commit([batch(9)]);
  loads[0]?.finish();
  await settle();
  expect(take()).toEqual(['load 5', 'load 9']);
  loads[1]?.finish();
  await settle();
  expect(take()).toEqual(['loaded 9', 'applied 9 1 0', 'apply 9', 'applied 10 1 6']);
});

test('the end of a claim is told at once, and only of a claim that was told', async () => {
  const { queue, loads, take } = harness();
  queue.load(snapshot(5));
  queue.claim(1);
  queue.renounce(1);
  loads[0]?.finish();
  await settle();
  expect(take()).toEqual(['load 5', 'loaded 5', 'applied 5 1 0']);
  queue.claim(3);
  queue.renounce(3);
  expect(take()).toEqual(['claim 3', 'renounce 3']);
  queue.load(snapshot(9));
  queue.tell((it) => it.leaderChanged(2, 4));
  expect(take()).toEqual(['load 9', 'leader 2']);
});

test('a long stretch is applied in slices, in order, with the others in between', () => {
  const { queue, clock, take } = harness();
  queue.commit(Array.from({ length: 50 }, (_, i) => batch(i)));
  queue.commit([batch(50)]);
  const first = take();
  expect(first.length).toBeLessThan(30);
  expect(clock.due).toHaveLength(1);
  let rounds = 0;
  for (let run = clock.due.shift(); run !== undefined; run = clock.due.shift()) {
    run();
    rounds++;
  }
  expect(rounds).toBeGreaterThan(1);
  const applied = [...first, ...take()].filter((it) => it.startsWith('apply '));
  expect(applied).toEqual(Array.from({ length: 51 }, (_, i) => `apply ${i}`));
});

describe('a failure is said once, and nothing follows it (R-9.4)', () => {
  test('of an apply', () => {
    const { queue, take, fail } = harness();
    fail(new Error('no'));
    queue.commit([batch(0), batch(1)]);
    queue.commit([batch(2)]);
    queue.claim(1);
    expect(take()).toEqual(['failed: the metadata state machine failed']);
  });

  test('of a load', async () => {
    const { queue, loads, take } = harness();
    queue.load(snapshot(5));
    queue.commit([batch(5)]);
    loads[0]?.fail(new Error('no'));
    await settle();
    expect(take()).toEqual(['load 5', 'failed: the metadata snapshot cannot be loaded']);
    await queue.idle();
  });

  test('after a stop nothing is told any more', async () => {
    const { queue, loads, take } = harness();
    queue.load(snapshot(5));
    queue.stop();
    loads[0]?.finish();
    queue.commit([batch(5)]);
    await queue.idle();
    expect(take()).toEqual(['load 5']);
  });
});
