// A leader, its ISR and its high watermark: what it waits for, whom it lets in, and what it makes of the controller's answers (D-4 to D-7).
import { describe, expect, test } from 'vitest';
import { sleep } from '../../../src/env/clock.ts';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import { appendToPartition } from '../../../src/replica/append.ts';
import { findEpochEnd, findOffset, readPartition } from '../../../src/replica/read.ts';
import { batchOf } from '../broker/bench.ts';
import { registration, uuid } from '../metadata/fixture.ts';
import { config, SELF } from './bench.ts';
import type { Led } from './leader-bench.ts';
import { leading, T, turns } from './leader-bench.ts';

/** What the producer has been told by now; 'waits' if nothing. */
async function told(answer: Promise<unknown> | undefined): Promise<unknown> {
  await turns();
  return Promise.race([answer, Promise.resolve('waits')]);
}

/** Everybody has everything. */
function caughtUp({ partition, fetch }: Led, ...brokerIds: number[]): void {
  for (const id of brokerIds) expect(fetch(id, partition.log.logEndOffset)).toBeUndefined();
}

function events(led: Led, ...names: string[]): string[] {
  const lines = led.replicas.world.log.lines();
  return lines.flatMap(({ event }) => (names.includes(event) ? [event] : []));
}

describe('acks=all', () => {
  test('is answered when every member of the ISR has it (D-6.2, D-7.3)', async () => {
    await leading(async (led) => {
      const { partition, produce, fetch } = led;
      const answer = produce();
      fetch(2, 1);
      expect([partition.highWatermark, await told(answer)]).toEqual([0, 'waits']);
      fetch(3, 1);
      expect([partition.highWatermark, await told(answer)]).toEqual([1, undefined]);
      // D-6.4: whatever a follower says later.
      fetch(3, 0);
      expect(partition.highWatermark).toBe(1);
    });
  });

  test('with log.flush.mode=sync followers get it before it is flushed here; it counts when it is (M-8)', async () => {
    await leading(
      async (led) => {
        const { partition, produce, fetch } = led;
        const answer = produce();
        expect(partition.log.flushedEndOffset).toBe(0);
        for (const id of [2, 3]) fetch(id, 1);
        expect(partition.highWatermark).toBe(0);
        expect(await answer).toBeUndefined();
        expect([partition.highWatermark, partition.log.flushedEndOffset]).toEqual([1, 1]);
      },
      { keys: { 'log.flush.mode': 'sync' } },
    );
  });

  test('is refused below min.insync.replicas, and told so when the ISR falls below it meanwhile (D-7.1, D-7.3)', async () => {
    await leading(
      async (led) => {
        const { partition, produce, state } = led;
        const answer = produce();
        await state({ isr: [SELF], elr: [2, 3], partitionEpoch: 1 });
        expect(await told(answer)).toBe('NOT_ENOUGH_REPLICAS_AFTER_APPEND');
        expect(appendToPartition(partition, batchOf(), -1)).toMatchObject({ error: 'NOT_ENOUGH_REPLICAS' });
        expect(partition.log.logEndOffset).toBe(1);
      },
      { minIsr: 2 },
    );
  });
});

describe('DS-12: an AlterPartition whose answer', () => {
  test('is lost: who may be in the ISR by now is waited for until the metadata says (D-5.2, B53, B54)', async () => {
    await leading(
      async (led) => {
        const { partition, asked, append, fetch, state } = led;
        caughtUp(led, 2);
        expect(asked.map(({ isr }) => isr)).toEqual([[SELF, 2]]);
        append();
        expect([partition.highWatermark, partition.leader?.maximalIsr]).toEqual([0, [SELF, 2]]);
        // Whatever happens meanwhile, there is one request at a time (D-5.1).
        caughtUp(led, 3);
        partition.reconsider();
        expect(asked).toHaveLength(1);
        await state({ isr: [SELF, 2], partitionEpoch: 1 });
        expect(asked[0]?.isAborted).toBe(true);
        expect(partition.highWatermark).toBe(0);
        fetch(2, 1);
        expect(partition.highWatermark).toBe(1);
      },
      { isr: [SELF] },
    );
  });

  test('is late: it changes nothing once the metadata has gone on (D-5.3)', async () => {
    await leading(
      async (led) => {
        const { partition, asked, append, state } = led;
        caughtUp(led, 2);
        await state({ isr: [SELF], partitionEpoch: 1 });
        await state({ isr: [SELF], partitionEpoch: 2, leaderEpoch: 1 });
        await asked[0]?.commit();
        expect(partition.leader?.state).toMatchObject({ isr: [SELF], partitionEpoch: 2 });
        append();
        expect(partition.highWatermark).toBe(1);
      },
      { isr: [SELF] },
    );
  });

  test('was faster than the metadata, which then says the same: what was asked for since stays pending (D-0.1, B27)', async () => {
    await leading(
      async (led) => {
        const { partition, asked, append, fetch, state } = led;
        caughtUp(led, 2);
        await asked[0]?.commit();
        expect(partition.leader?.state).toMatchObject({ isr: [SELF, 2], partitionEpoch: 1 });
        caughtUp(led, 3);
        expect(asked.map(({ isr }) => isr)).toEqual([
          [SELF, 2],
          [SELF, 2, 3],
        ]);
        await state({ isr: [SELF, 2], partitionEpoch: 1 });
        expect(partition.leader?.maximalIsr).toEqual([SELF, 2, 3]);
        append();
        fetch(2, 1);
        expect(partition.highWatermark).toBe(0);
        await asked[1]?.commit();
        expect([partition.leader?.state.isr, partition.highWatermark]).toEqual([[SELF, 2, 3], 0]);
        fetch(3, 1);
        expect(partition.highWatermark).toBe(1);
      },
      { isr: [SELF] },
    );
  });

  test('says that it was surely not carried out: back to the committed ISR, and asked again later (D-5.4)', async () => {
    await leading(
      async (led) => {
        const { partition, asked, append, replicas } = led;
        caughtUp(led, 2);
        append();
        await asked[0]?.answer({ kind: 'refused', error: 'INELIGIBLE_REPLICA', message: 'fenced' });
        expect(partition.leader?.maximalIsr).toEqual([SELF]);
        caughtUp(led, 2);
        expect(asked).toHaveLength(1);
        await sleep(replicas.env.clock, 2000);
        expect(asked.map(({ isr }) => isr)).toEqual([
          [SELF, 2],
          [SELF, 2],
        ]);
        await asked[1]?.answer({ kind: 'refused', error: 'INELIGIBLE_REPLICA', message: 'fenced' });
        expect(events(led, 'isr-change-refused', 'isr-change-asked')).toEqual([
          'isr-change-asked',
          'isr-change-refused',
        ]);
      },
      { isr: [SELF] },
    );
  });

  test('says that something else came first: pending until the metadata shows what (D-5.5)', async () => {
    await leading(
      async (led) => {
        const { partition, asked, append, fetch, state } = led;
        caughtUp(led, 2);
        append();
        await asked[0]?.answer({ kind: 'superseded', error: 'INVALID_UPDATE_VERSION', message: 'epoch 1 is newer' });
        expect([partition.highWatermark, partition.leader?.maximalIsr]).toEqual([0, [SELF, 2]]);
        fetch(3, 1);
        expect(asked).toHaveLength(1);
        await state({ isr: [SELF], partitionEpoch: 1 });
        // 2 is not in it after all; it has not lagged for long, nor has 3.
        expect(asked.at(-1)?.isr).toEqual([SELF, 2, 3]);
        expect(partition.highWatermark).toBe(0);
        fetch(2, 1);
        expect(partition.highWatermark).toBe(1);
      },
      { isr: [SELF] },
    );
  });
});

describe('a member that lags', () => {
  const lag = { keys: { 'replica.lag.time.max.ms': '5000', 'log.flush.mode': 'async' } };

  test('leaves after replica.lag.time.max.ms; what waits for it is committed when that is (D-4.2, D-5.2, B57)', async () => {
    await leading(async (led) => {
      const { partition, asked, produce, fetch, state, replicas } = led;
      caughtUp(led, 2, 3);
      await sleep(replicas.env.clock, 60_000);
      expect(asked).toHaveLength(0); // with nothing to fetch nobody lags
      const answer = produce();
      await sleep(replicas.env.clock, 4000);
      fetch(2, 1);
      await sleep(replicas.env.clock, 3000);
      expect(asked.map(({ isr }) => isr)).toEqual([[SELF, 2]]);
      expect(partition.highWatermark).toBe(0);
      // No fetch and no append comes after this.
      await state({ isr: [SELF, 2], partitionEpoch: 1 });
      expect([partition.highWatermark, await told(answer)]).toEqual([1, undefined]);
    }, lag);
  });

  test('has from the begin of the leader epoch as long as others (D-4.3); a leader alone lets nobody go', async () => {
    await leading(async (led) => {
      const { asked, append, replicas } = led;
      append();
      await sleep(replicas.env.clock, 4000);
      expect(asked).toHaveLength(0);
      await sleep(replicas.env.clock, 3000);
      expect(asked.map(({ isr }) => isr)).toEqual([[SELF]]);
    }, lag);
  });

  test('is slow, not lagging, while it gets everything that was there at its last fetch (D-2.4)', async () => {
    await leading(async (led) => {
      const { asked, append, fetch, partition, replicas } = led;
      for (let i = 0; i < 30; i++) {
        const end = partition.log.logEndOffset;
        append();
        for (const id of [2, 3]) fetch(id, end);
        await sleep(replicas.env.clock, 1000);
      }
      expect(asked).toHaveLength(0);
      expect(partition.highWatermark).toBe(29);
    }, lag);
  });

  test('is gone by an answer, and yet waited for until the metadata shows that: by then more may be enough (C-10.1)', async () => {
    await leading(async (led) => {
      const { partition, asked, append, state, replicas } = led;
      append();
      await sleep(replicas.env.clock, 7000);
      await asked[0]?.commit();
      // The controller has raised min.insync.replicas before it, and so keeps 2 and 3 in the ELR.
      expect(partition.highWatermark).toBe(0);
      replicas.commit(config(ConfigScope.TOPIC, 't', 'min.insync.replicas', '2'));
      await replicas.partition(T);
      await state({ isr: [SELF], elr: [2, 3], partitionEpoch: 1 });
      append();
      expect([partition.highWatermark, partition.leader?.pending]).toEqual([0, undefined]);
    }, lag);
  });
});

describe('a follower that joins', () => {
  test('is asked for as it has fetched: DS-13, its next life is another (KIP-903, KAFKA-15221, B37, B52)', async () => {
    await leading(
      async (led) => {
        const { partition, asked, append, fetch, epochOf, replicas } = led;
        append(3);
        const first = epochOf(2);
        fetch(2, 3);
        expect(asked.at(-1)?.alteration.isr).toEqual([
          { brokerId: SELF, brokerEpoch: epochOf(SELF) },
          { brokerId: 2, brokerEpoch: first },
        ]);
        // It dies, loses what it had, and comes back while the request is on its way.
        replicas.commit(registration(2, { fenced: false, incarnationId: uuid(700), logDirs: [uuid(71)] }));
        expect(epochOf(2)).toBeGreaterThan(first);
        await asked[0]?.answer({ kind: 'refused', error: 'INELIGIBLE_REPLICA', message: 'another broker epoch' });
        // What the earlier life had lets the next one in neither by itself, nor by what is late of it.
        await sleep(replicas.env.clock, 3000);
        for (let i = 0; i < 3; i++) expect(fetch(2, 3, { brokerEpoch: first })?.error).toBe('NOT_LEADER_OR_FOLLOWER');
        expect(asked).toHaveLength(1);
        expect(fetch(2, 0)).toBeUndefined();
        expect(partition.leader?.followers.get(2)).toMatchObject({ logEndOffset: 0, brokerEpoch: epochOf(2) });
        await sleep(replicas.env.clock, 3000);
        expect(asked).toHaveLength(1);
        expect(fetch(2, 3)).toBeUndefined();
        expect(asked.at(-1)?.alteration.isr.at(-1)).toEqual({ brokerId: 2, brokerEpoch: epochOf(2) });
        expect(asked).toHaveLength(2);
        expect(events(led, 'follower-refused')).toHaveLength(1);
      },
      { isr: [SELF] },
    );
  });

  test('is eligible as far as is known here; once it is, it is asked for without another fetch (D-4.1, C-5.1)', async () => {
    await leading(
      async (led) => {
        const { asked, fetch, epochOf, replicas } = led;
        replicas.commit(registration(2, { fenced: true, incarnationId: uuid(700), logDirs: [uuid(71)] }));
        fetch(2, 0);
        await sleep(replicas.env.clock, 2000);
        expect(asked).toHaveLength(0);
        const { incarnationId } = { incarnationId: uuid(700) };
        replicas.commit(registration(2, { fenced: false, incarnationId, logDirs: [uuid(9)] }));
        fetch(2, 0);
        expect(asked).toHaveLength(0); // the log dir of its replica is offline
        replicas.commit(registration(2, { fenced: false, incarnationId, logDirs: [uuid(71)] }));
        fetch(2, 0, { brokerEpoch: epochOf(2) });
        expect(asked.map(({ isr }) => isr)).toEqual([[SELF, 2]]);
      },
      { isr: [SELF] },
    );
  });

  test('was put out of the ISR by the controller: what it had before does not bring it back, its next fetch does, or time (D-4.1)', async () => {
    await leading(async (led) => {
      const { partition, asked, fetch, produce, state, replicas } = led;
      caughtUp(led, 2, 3);
      await sleep(replicas.env.clock, 100);
      const answer = produce();
      fetch(2, 1);
      expect(await told(answer)).toBe('waits');
      // It died. That it is fenced comes with the last of the partitions that are taken from it: nobody waits for that (D-6.3).
      await state({ isr: [SELF, 2], partitionEpoch: 1 });
      expect(await told(answer)).toBeUndefined();
      partition.reconsider();
      expect(asked).toHaveLength(0);
      caughtUp(led, 2);
      expect(asked).toHaveLength(0);
      caughtUp(led, 3);
      expect(asked.map(({ isr }) => isr)).toEqual([[SELF, 2, 3]]);
      await state({ isr: [SELF, 2], partitionEpoch: 2 });
      await state({ isr: [SELF], partitionEpoch: 3 });
      expect(asked).toHaveLength(1);
      // An idle partition is named in no fetch.
      await sleep(replicas.env.clock, 3000);
      expect(asked.slice(1).map(({ isr }) => isr)).toEqual([[SELF, 2, 3]]);
    });
  });

  test('DS-16: has everything that was there when the leader epoch began, whatever is known to be committed (B48)', async () => {
    await leading(async (led) => {
      const { partition, asked, append, fetch, state } = led;
      append(10);
      for (const id of [2, 3]) fetch(id, 4);
      expect(partition.highWatermark).toBe(4);
      await state({ leaderEpoch: 1, isr: [SELF, 3], partitionEpoch: 1 });
      expect(partition.leader?.epochStartOffset).toBe(10);
      fetch(2, 7, { lastFetchedEpoch: 0 });
      expect(asked).toHaveLength(0);
      // D-6.6: what is committed above 4 is not known yet, and not denied.
      expect((await findOffset(partition, -1, -1)).error).toBe('OFFSET_NOT_AVAILABLE');
      expect((await findOffset(partition, 2_000_000, -1)).error).toBe('OFFSET_NOT_AVAILABLE');
      expect(findEpochEnd(partition, 0, -1).error).toBe('OFFSET_NOT_AVAILABLE');
      const position = { fetchOffset: 9, currentLeaderEpoch: 1, lastFetchedEpoch: 0, maxBytes: 1 << 20 };
      expect(await readPartition(partition, { ...position, atLeastOne: true })).toMatchObject({
        error: 'NONE',
        records: Buffer.alloc(0),
      });
      fetch(2, 10, { lastFetchedEpoch: 0 });
      expect(asked.map(({ isr }) => isr)).toEqual([[SELF, 3, 2]]);
      fetch(3, 10, { lastFetchedEpoch: 0 });
      expect(await findOffset(partition, -1, -1)).toMatchObject({ error: 'NONE', offset: 10 });
    });
  });

  test('is waited for as soon as it has caught up, before it is asked for (D-6.3)', async () => {
    await leading(
      async (led) => {
        const { partition, asked, append, fetch, replicas } = led;
        append(2);
        expect(partition.highWatermark).toBe(2);
        fetch(2, 2);
        await asked[0]?.answer({ kind: 'refused', error: 'OPERATION_NOT_ATTEMPTED', message: 'later' });
        append();
        expect(partition.highWatermark).toBe(2);
        // It is fenced: nobody waits for it any more, though no fetch and no append comes.
        replicas.commit(registration(2, { fenced: true, incarnationId: uuid(700), logDirs: [uuid(71)] }));
        await sleep(replicas.env.clock, 1000);
        expect(partition.highWatermark).toBe(3);
      },
      { isr: [SELF] },
    );
  });
});

describe('DS-17: the last replica standing', () => {
  test('takes records with acks=1 and commits none while the ISR is too small; then all at once (D-6.1, B55)', async () => {
    await leading(
      async (led) => {
        const { partition, append, asked, fetch, state } = led;
        append();
        await state({ isr: [SELF], elr: [2, 3], partitionEpoch: 1 });
        append(4);
        for (const id of [2, 3]) fetch(id, 1);
        expect(partition.highWatermark).toBe(0);
        expect(asked).toHaveLength(1);
        // Only the committed ISR counts: 2 may not be in it after all.
        fetch(2, 5);
        expect(partition.highWatermark).toBe(0);
        await asked[0]?.commit();
        expect(partition.highWatermark).toBe(5);
      },
      { minIsr: 2 },
    );
  });

  test('without ELR stays in the ISR while nobody leads, and goes on in the next leader epoch', async () => {
    await leading(
      async (led) => {
        const { partition, append, produce, state } = led;
        append(2);
        const answer = produce();
        await state({ isr: [SELF], leader: -1, leaderEpoch: 1, partitionEpoch: 1 });
        expect(await told(answer)).toBeUndefined();
        expect(partition.leader).toBeUndefined();
        expect(appendToPartition(partition, batchOf(), 1)).toMatchObject({ error: 'NOT_LEADER_OR_FOLLOWER' });
        await state({ isr: [SELF], leaderEpoch: 2, partitionEpoch: 2 });
        expect([partition.leader?.epochStartOffset, partition.highWatermark]).toEqual([3, 3]);
      },
      { isr: [SELF] },
    );
  });
});

describe('an end', () => {
  test('of the leader epoch, or of the replica, ends what was asked for and leaves no timer (D-0.4, S-X3)', async () => {
    for (const end of ['epoch', 'retire', 'failure'] as const) {
      await leading(async (led) => {
        const { partition, asked, produce, state, replicas } = led;
        const answer = produce();
        await sleep(replicas.env.clock, 40_000);
        expect(asked).toHaveLength(1);
        if (end === 'epoch') await state({ leader: 2, leaderEpoch: 1, partitionEpoch: 1 });
        else if (end === 'retire') await replicas.manager.close();
        else {
          replicas.world.process('host').disk.failNext('write', '/data/t-0');
          appendToPartition(partition, batchOf(), 1);
        }
        expect(asked[0]?.isAborted).toBe(true);
        expect(await told(answer)).toBe(end === 'failure' ? 'KAFKA_STORAGE_ERROR' : 'NOT_LEADER_OR_FOLLOWER');
        await asked[0]?.commit();
        expect(partition.leader).toBeUndefined();
        await sleep(replicas.env.clock, 100_000);
        expect(asked).toHaveLength(1);
      });
    }
  });
});
