import { expect, test } from 'vitest';
import type { KeptRead, KeptWrite } from '../../../src/check/kept.ts';
import { checkCompacted, checkKeptInvention, checkPruned } from '../../../src/check/kept.ts';

function write(order: number, key: string, value: string | null, offset: number, outcome = 'acknowledged'): KeptWrite {
  return { order, key, value, offset, outcome: outcome as KeptWrite['outcome'] };
}

function read(offset: number, key: string, value: string | null): KeptRead {
  return { offset, key, value };
}

const WRITES = [write(0, 'a', '0', 0), write(1, 'b', '1', 1), write(2, 'a', '2', 2), write(3, 'b', null, 3)];

test('S-D11, S-D9: what was read was sent, and did not fail', () => {
  expect(checkKeptInvention(WRITES, [read(2, 'a', '2'), read(3, 'b', null)])).toBeUndefined();
  expect(checkKeptInvention(WRITES, [read(2, 'a', '7')])).toMatchObject({ property: 'S-D11' });
  expect(checkKeptInvention(WRITES, [read(2, 'c', null)])).toMatchObject({ property: 'S-D11' });
  const failed = [write(0, 'a', '0', -1, 'failed')];
  expect(checkKeptInvention(failed, [read(0, 'a', '0')])).toMatchObject({ property: 'S-D9' });
});

test('S-D1, S-D6: of a pruned log only the head goes', () => {
  const all = WRITES.map(({ offset, key, value }) => read(offset, key, value));
  expect(checkPruned(WRITES, all, 0)).toBeUndefined();
  expect(checkPruned(WRITES, all.slice(2), 2)).toBeUndefined();
  expect(checkPruned(WRITES, [], 4)).toBeUndefined();
  expect(checkPruned(WRITES, all.slice(1), 2)).toMatchObject({ property: 'S-D6' });
  expect(checkPruned(WRITES, all.slice(0, 3), 0)).toMatchObject({ property: 'S-D1' });
  expect(checkPruned(WRITES, [all[0], all[2], all[3]] as KeptRead[], 0)).toMatchObject({ property: 'S-D1' });
});

test('S-D1, S-D11: of a compacted log the last values stay, and what was deleted is gone', () => {
  expect(checkCompacted(WRITES, [read(2, 'a', '2'), read(3, 'b', null)])).toBeUndefined();
  expect(checkCompacted(WRITES, [read(0, 'a', '0'), read(2, 'a', '2')])).toBeUndefined();
  expect(checkCompacted(WRITES, [read(0, 'a', '0'), read(3, 'b', null)])).toMatchObject({ property: 'S-D1' });
  expect(checkCompacted(WRITES, [read(3, 'b', null)])).toMatchObject({ property: 'S-D1' });
  expect(checkCompacted(WRITES, [read(2, 'a', '2'), read(1, 'b', '1')])).toMatchObject({ property: 'S-D1' });
  const open = [...WRITES, write(4, 'a', '4', -1, 'unknown'), write(5, 'a', '5', -1, 'failed')];
  expect(checkCompacted(open, [read(2, 'a', '2')])).toBeUndefined();
  expect(checkCompacted(open, [read(2, 'a', '2'), read(4, 'a', '4')])).toBeUndefined();
  expect(checkCompacted(open, [read(2, 'a', '2'), read(4, 'a', '5')])).toMatchObject({ property: 'S-D1' });
});
