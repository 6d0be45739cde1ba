import { expect, test } from 'vitest';
import { Reigns } from '../../../src/sim/cluster/reigns.ts';

test('an answer belongs to the claim that was in force, and is as old as the election that ended it', () => {
  const reigns = new Reigns();
  reigns.elected(3, 100);
  reigns.claimed(1, 3, 110);
  expect(reigns.during(1, 50, 105)).toBeUndefined();
  expect(reigns.during(2, 50, 500)).toBeUndefined();
  expect(reigns.during(1, 50, 115)).toMatchObject({ epoch: 3, fromMs: 110 });
  expect(reigns.replacedAt(3)).toBe(Number.POSITIVE_INFINITY);
  // Elected elsewhere, while node 1 still believes that it leads.
  reigns.elected(5, 200);
  reigns.claimed(2, 5, 220);
  expect(reigns.during(1, 250, 260)).toMatchObject({ epoch: 3 });
  expect(reigns.replacedAt(3)).toBe(200);
  reigns.over(1, 300);
  expect(reigns.during(1, 310, 320)).toBeUndefined();
  expect(reigns.during(1, 290, 320)).toMatchObject({ epoch: 3, toMs: 300 });
  expect(reigns.during(2, 310, 320)).toMatchObject({ epoch: 5 });
});
