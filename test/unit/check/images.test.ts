// The checkers of published images: good histories pass, bad ones do not.
import { expect, test } from 'vitest';
import type { SeenBroker, SeenTopic } from '../../../src/check/images.ts';
import { checkFold, ImageHistory } from '../../../src/check/images.ts';
import { MetadataHistory } from '../../../src/check/metadata.ts';
import { cluster, T } from './metadata-fixture.ts';

const at = (endOffset: number, digest = String(endOffset)) => ({ endOffset, digest });

test('S-M8: nodes show the same images, each later and later ones, again in each life', () => {
  const history = new ImageHistory();
  expect(history.see('a', 1, at(10))).toBeUndefined();
  expect(history.see('a', 1, at(12))).toBeUndefined();
  expect(history.see('b', 1, at(12)), 'from a snapshot').toBeUndefined();
  expect(history.see('b', 2, at(10)), 'in its next life').toBeUndefined();
  expect(history.see('b', 2, at(12))).toBeUndefined();
  expect(history.see('a', 1, at(10)), 'goes back').toMatchObject({ property: 'S-M8' });
  expect(history.see('b', 2, at(12)), 'again').toMatchObject({ property: 'S-M8' });
  expect(history.see('c', 1, at(11)), 'where no batch ends').toMatchObject({ property: 'S-M8' });
  expect(history.see('c', 2, at(12, 'x')), 'another one').toMatchObject({ property: 'S-M8' });
});

/** What a good image shows of a cluster with brokers 1 to 3 and topic t with one partition. */
function shown(history: MetadataHistory) {
  const { brokers, topics } = history.state;
  const topic = topics.get(T);
  const seen = [...brokers.values()].map((broker): SeenBroker => ({ ...broker, inControlledShutdown: broker.leaving }));
  const partitions = topic?.partitions.map(({ state }) => state) ?? [];
  return { topic: { name: 't', topicId: T, partitions } satisfies SeenTopic, brokers: seen, partitions };
}

test('S-M1, S-M7, S-M8: an image that shows something else than the log', () => {
  const history = cluster();
  const { topic, brokers, partitions } = shown(history);
  const [first] = partitions;
  if (first === undefined) throw new Error('no partition');
  const broken = (change: { topics?: SeenTopic[]; brokers?: SeenBroker[]; removedTopics?: string[] }) =>
    checkFold(history.state, { endOffset: 9, topics: [topic], brokers, removedTopics: [], ...change })?.property;
  const withPartition = (change: object) => broken({ topics: [{ ...topic, partitions: [{ ...first, ...change }] }] });
  expect(broken({})).toBeUndefined();
  expect(withPartition({})).toBeUndefined();
  expect(withPartition({ leaderEpoch: 7 })).toBe('S-M1');
  expect(withPartition({ partitionEpoch: 7 })).toBe('S-M1');
  expect(withPartition({ leader: 2 })).toBe('S-M8');
  expect(withPartition({ isr: [1] })).toBe('S-M8');
  expect(withPartition({ elr: [3] })).toBe('S-M8');
  expect(withPartition({ recovering: true })).toBe('S-M8');
  expect(broken({ topics: [{ ...topic, name: 'u' }] })).toBe('S-M8');
  expect(broken({ topics: [{ ...topic, topicId: 'other' }] })).toBe('S-M8');
  expect(broken({ topics: [{ ...topic, partitions: [] }] })).toBe('S-M8');
  expect(broken({ removedTopics: [T] })).toBe('S-M8');
  expect(broken({ removedTopics: ['gone'] })).toBeUndefined();
  const withBroker = (change: Partial<SeenBroker>) =>
    broken({ brokers: [{ ...(brokers[0] as SeenBroker), ...change }] });
  expect(withBroker({})).toBeUndefined();
  expect(withBroker({ brokerEpoch: 77 })).toBe('S-M7');
  expect(withBroker({ incarnationId: 'other' })).toBe('S-M7');
  expect(withBroker({ fenced: true })).toBe('S-M7');
  expect(withBroker({ inControlledShutdown: true })).toBe('S-M7');
});

test('S-M8: a batch that does not follow', () => {
  const history = new MetadataHistory();
  expect(history.commit({ baseOffset: 0, endOffset: 1, records: [] })).toBeUndefined();
  expect(history.commit({ baseOffset: 2, endOffset: 3, records: [] })).toMatchObject({ property: 'S-M8' });
});
