// S-M9: what may be answered about a topic by controllers that fail and follow each other, and what may not.
import { describe, expect, test } from 'vitest';
import type { Operation } from '../../../src/check/linearizability.ts';
import { isLinearizable } from '../../../src/check/linearizability.ts';
import type { TopicAction, TopicOperation } from '../../../src/check/topic-operations.ts';
import { checkTopicOperations } from '../../../src/check/topic-operations.ts';

const OPEN = Number.POSITIVE_INFINITY;

function told(invokedAtMs: number, answeredAtMs: number, action: TopicAction, topic = 't'): TopicOperation {
  return { object: topic, invokedAtMs, answeredAtMs, action };
}

const created = (topicId?: string): TopicAction => ({ type: 'created', topicId });
const deleted = (topicId?: string): TopicAction => ({ type: 'deleted', topicId });
const present = (topicId?: string): TopicAction => ({ type: 'present', topicId });
const absent: TopicAction = { type: 'absent' };

function property(...operations: TopicOperation[]): string | undefined {
  return checkTopicOperations(operations).violation?.property;
}

describe('good histories', () => {
  test('one after the other', () => {
    expect(
      property(
        told(0, 1, absent),
        told(2, 3, created('a')),
        told(4, 5, present('a')),
        told(6, 7, deleted('a')),
        told(8, 9, absent),
        told(10, 11, created('b')),
      ),
    ).toBeUndefined();
  });

  test('a creation without an answer takes effect long after, between two answers', () => {
    expect(
      property(told(0, OPEN, created()), told(5, 6, absent), told(7, 8, present('a')), told(9, 10, present('a'))),
    ).toBeUndefined();
  });

  test('a creation without an answer never takes effect', () => {
    expect(property(told(0, OPEN, created()), told(5, 6, absent), told(7, 8, created('b')))).toBeUndefined();
  });

  test('reads during a creation see it and then do not have to agree about when', () => {
    expect(
      property(told(0, 10, created('a')), told(1, 3, absent), told(2, 9, present('a')), told(2, 4, absent)),
    ).toBeUndefined();
  });

  test('an unanswered deletion explains that a name is free again', () => {
    expect(
      property(told(0, 1, created('a')), told(2, OPEN, deleted()), told(3, 4, present('a')), told(5, 6, created('b'))),
    ).toBeUndefined();
  });

  test('topics are independent of each other', () => {
    expect(property(told(0, 1, created('a')), told(2, 3, absent, 'other'))).toBeUndefined();
  });

  test('a stale answer that begins when its controller was replaced', () => {
    expect(property(told(0, 1, created('a')), told(5, 6, deleted('a')), told(4, 9, present('a'), 't'))).toBeUndefined();
  });
});

describe('bad histories', () => {
  test('a topic that was answered and is gone', () => {
    expect(property(told(0, 1, created('a')), told(2, 3, absent))).toBe('S-M9');
  });

  test('two creations of one name', () => {
    expect(property(told(0, 5, created('a')), told(1, 6, created('b')))).toBe('S-M9');
  });

  test('a topic that was seen, and then had never been (KAFKA-14457)', () => {
    expect(property(told(0, OPEN, created()), told(1, 2, present('a')), told(3, 4, absent))).toBe('S-M9');
  });

  test('a topic comes back after its deletion', () => {
    expect(property(told(0, 1, created('a')), told(2, 3, deleted('a')), told(5, 6, present('a')))).toBe('S-M9');
  });

  test('the id of a topic changes', () => {
    expect(property(told(0, 1, created('a')), told(2, 3, present('b')))).toBe('S-M9');
    expect(property(told(0, OPEN, created()), told(2, 3, present('a')), told(4, 5, present('b')))).toBe('S-M9');
  });

  test('a deletion of what is not there', () => {
    expect(property(told(0, 1, deleted('a')))).toBe('S-M9');
  });

  test('the message shows the beginning that has no order', () => {
    const operations = [told(0, 1, created('a')), told(2, 3, absent), told(4, 5, present('a'))];
    const detail = checkTopicOperations(operations).violation?.detail;
    expect(detail).toContain('absent 2.0..3.0');
    expect(detail).not.toContain('4.0..5.0');
  });
});

test('the search says so when it gives up', () => {
  // Every order of the concurrent additions leads to another state: nothing is remembered, and the read fits none.
  const adding = (name: string): Operation<string> => ({ invokedAtMs: 0, answeredAtMs: 10, action: name });
  const model = {
    initial: '',
    step: (state: string, action: string) => (action === '!' ? undefined : state + action),
  };
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  const operations = [...names.map(adding), { invokedAtMs: 11, answeredAtMs: 12, action: '!' }];
  expect(isLinearizable(operations, model, 10_000)).toBe('undecided');
  expect(isLinearizable(operations, model)).toBe('no');
  expect(isLinearizable(names.map(adding), model, 100)).toBe('yes');
});

test('long histories of a few clients are searched quickly', () => {
  const operations: TopicOperation[] = [];
  for (let i = 0; i < 400; i++) {
    operations.push(told(10 * i, 10 * i + 4, created(`id${i}`)), told(10 * i + 1, 10 * i + 8, present(`id${i}`)));
    operations.push(told(10 * i + 5, 10 * i + 9, deleted(`id${i}`)));
    // Unanswered, and without effect: they must not multiply the search.
    if (i % 20 === 0) operations.push(told(10 * i + 2, OPEN, i % 40 === 0 ? created() : deleted()));
  }
  expect(checkTopicOperations(operations)).toEqual({ violation: undefined, undecided: 0 });
});
