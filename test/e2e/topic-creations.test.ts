// The check that the failover tests rely on refuses what it must refuse.
import { expect, it } from 'vitest';
import type { Answer, Asked } from './topic-creations.ts';
import { violations } from './topic-creations.ts';

const answer = (outcome: Answer['outcome'], topicId = ''): Answer => ({ outcome, topicId, reason: 'because' });

const asked = new Map<string, Asked>([
  ['a', { creation: answer('done', 'id-a') }],
  ['b', { creation: answer('unknown') }],
  ['c', { creation: answer('refused') }],
  ['d', { creation: answer('done', 'id-d'), deletion: answer('done') }],
  ['e', { creation: answer('done', 'id-e'), deletion: answer('unknown') }],
  ['f', { creation: answer('done', 'id-f'), deletion: answer('refused') }],
]);

const listed = (...names: string[]) => names.map((name) => ({ name, topicId: `id-${name}` }));

it('accepts what was answered, with or without what nobody knows', () => {
  expect(violations(asked, listed('a', 'f'))).toEqual([]);
  expect(violations(asked, listed('a', 'b', 'e', 'f'))).toEqual([]);
});

it('refuses loss, doubles, what was refused, deleted or never asked for, and another topic of that name', () => {
  expect(violations(asked, listed('a'))).toEqual(['f was answered and is missing']);
  expect(violations(asked, listed('a', 'a', 'f'))).toEqual(['a is there twice']);
  expect(violations(asked, listed('a', 'c', 'f'))).toEqual(['c is there, although its creation was refused: because']);
  expect(violations(asked, listed('a', 'd', 'f'))).toEqual(['d is there, although its deletion was answered']);
  expect(violations(asked, listed('a', 'f', 'z'))).toEqual(['z is there and was never asked for']);
  expect(violations(asked, [...listed('f'), { name: 'a', topicId: 'id-x' }])).toEqual([
    'a is another topic than the one that was answered',
  ]);
});

it('refuses answers that cannot be', () => {
  const wrong = new Map<string, Asked>([
    ['a', { creation: answer('wrong') }],
    ['b', { creation: answer('done', 'id-b'), deletion: answer('wrong') }],
  ]);
  expect(violations(wrong, listed('b'))).toEqual(["a: creation answered 'because'", "b: deletion answered 'because'"]);
});
