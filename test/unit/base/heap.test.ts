import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Heap } from '../../../src/base/heap.ts';

test('an empty heap has nothing to give', () => {
  const heap = new Heap<number>((a, b) => a < b);
  expect([heap.size, heap.peek(), heap.pop()]).toEqual([0, undefined, undefined]);
});

test('pushes and pops in any order give what a sorted list would', () => {
  const operations = fc.array(fc.oneof(fc.integer({ min: -9, max: 9 }), fc.constant('pop' as const)));
  fc.assert(
    fc.property(operations, (script) => {
      const heap = new Heap<number>((a, b) => a < b);
      let model: number[] = [];
      for (const step of script) {
        if (step === 'pop') {
          expect(heap.pop()).toBe(model[0]);
          model = model.slice(1);
        } else {
          heap.push(step);
          model = [...model, step].sort((a, b) => a - b);
        }
        expect(heap.size).toBe(model.length);
        expect(heap.peek()).toBe(model[0]);
      }
    }),
  );
});

test('with a sequence number in the comparison, equals leave in the order they came', () => {
  const timers = fc.array(fc.nat(4)).map((times) => times.map((at, sequence) => ({ at, sequence })));
  fc.assert(
    fc.property(timers, (items) => {
      const heap = new Heap<{ at: number; sequence: number }>(
        (a, b) => a.at < b.at || (a.at === b.at && a.sequence < b.sequence),
      );
      for (const item of items) heap.push(item);
      const left = items.map(() => heap.pop());
      expect(left).toEqual([...items].sort((a, b) => a.at - b.at || a.sequence - b.sequence));
    }),
  );
});
