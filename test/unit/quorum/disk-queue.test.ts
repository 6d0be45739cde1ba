// The durability barrier (M-5): whatever is issued and however slow the disk, operations are written in order, one batch at a
// time, and nothing leaves before what it waits for is durable.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StoreOperation } from '../../../src/env/store.ts';
import { DiskQueue } from '../../../src/quorum/disk-queue.ts';

function put(n: number): StoreOperation {
  return { type: 'put', key: Buffer.from([n >> 8, n & 0xff]), value: Buffer.alloc(0) };
}

function numberOf({ key }: StoreOperation): number {
  return (key[0] as number) * 256 + (key[1] as number);
}

type Act =
  | { readonly type: 'issue'; readonly count: number }
  | { readonly type: 'after'; readonly back: number }
  | { readonly type: 'complete' }
  | { readonly type: 'fail' };

const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant('issue' as const), count: fc.integer({ min: 0, max: 3 }) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('after' as const), back: fc.nat({ max: 4 }) }) },
  { weight: 4, arbitrary: fc.constant({ type: 'complete' as const }) },
  { weight: 1, arbitrary: fc.constant({ type: 'fail' as const }) },
);

async function settle(): Promise<void> {
  for (let i = 0; i < 8; i++) await Promise.resolve();
}

test('order, one write at a time, and nothing released early or lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 60 }), async (acts) => {
      const written: number[] = [];
      const released: number[] = [];
      const dones: number[] = [];
      let writing: { operations: readonly StoreOperation[]; finish(error?: Error): void } | undefined;
      let failures = 0;
      const queue = new DiskQueue({
        write: (operations) => {
          expect(writing).toBeUndefined();
          return new Promise((resolve, reject) => {
            const finish = (error?: Error): void => {
              writing = undefined;
              if (error !== undefined) return reject(error);
              written.push(...operations.map(numberOf));
              resolve();
            };
            writing = { operations, finish };
          });
        },
        done: (op) => {
          dones.push(op);
        },
        failed: () => {
          failures++;
        },
      });
      let nextOp = 0;
      let next = 0;
      const lastOf: number[] = [];
      let asked = 0;
      const needed: number[] = [];
      for (const it of acts) {
        if (it.type === 'issue') {
          queue.issue(
            nextOp++,
            Array.from({ length: it.count }, () => put(next++)),
          );
          lastOf.push(next);
        } else if (it.type === 'after') {
          const op = nextOp - 1 - it.back;
          const id = asked++;
          needed[id] = op < 0 ? 0 : (lastOf[op] as number);
          queue.after(op < 0 ? undefined : op, () => {
            expect(written.length).toBeGreaterThanOrEqual(needed[id] as number);
            released.push(id);
          });
        } else writing?.finish(it.type === 'fail' ? new Error('disk') : undefined);
        await settle();
      }
      while (writing !== undefined) {
        writing.finish();
        await settle();
      }
      await queue.idle();
      expect(written).toEqual(Array.from({ length: written.length }, (_, i) => i));
      expect(dones).toEqual(dones.toSorted((a, b) => a - b));
      expect(new Set(released).size).toBe(released.length);
      expect(failures).toBeLessThanOrEqual(1);
      if (failures === 0) {
        expect(written.length).toBe(next);
        expect(released.length).toBe(asked);
        if (nextOp > 0) expect(dones.at(-1)).toBe(nextOp - 1);
      }
    }),
    { numRuns: 150 },
  );
});
