import { describe, expect, it } from 'vitest';
import { AssertionError } from '../../../src/base/assert.ts';
import { ZERO_UUID } from '../../../src/base/uuid.ts';
import type { MetadataRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import { isEmptyDelta } from '../../../src/metadata/delta.ts';
import { brokerStateText } from '../../../src/metadata/fields.ts';
import {
  brokerEntity,
  configsOf,
  EMPTY_IMAGE,
  partitionOf,
  topicByName,
  topicEntity,
} from '../../../src/metadata/image.ts';
import { imageFromRecords, imageToRecords } from '../../../src/metadata/image-records.ts';
import { decodeRecords, encodeRecords } from '../../../src/metadata/record.ts';
import { replay } from '../../../src/metadata/replay.ts';
import { after, clusterOf, LEVEL_1, partitionRecord, record, registration, topicRecord, uuid } from './fixture.ts';

const T = uuid(1);
const config = (scope: ConfigScope, entity: string, key: string, value?: string) =>
  record({ $case: 'config', config: { scope, entity, key, value } });
const change = (fields: { leader?: number; isr?: number[] }) =>
  record({
    $case: 'partitionChange',
    partitionChange: {
      topicId: T,
      partition: 0,
      leader: fields.leader,
      isr: fields.isr === undefined ? undefined : { replicas: fields.isr },
      cause: 'test',
    },
  });
const remove = record({ $case: 'removeTopic', removeTopic: { topicId: T } });
const withTopic = after(clusterOf(1, 2), topicRecord('a', T), partitionRecord(T, 0, [1, 2]));

describe('replay', () => {
  it('C-2.1: a registration gets the offset of its record as epoch, and starts fenced', () => {
    const image = after(after(EMPTY_IMAGE, LEVEL_1), registration(7), registration(8));
    expect(image.brokers.get(7)).toMatchObject({ brokerEpoch: 1, fenced: true, inControlledShutdown: false });
    expect(image.brokers.get(8)?.brokerEpoch).toBe(2);
    const again = after(image, registration(7, { incarnationId: uuid(9) }));
    expect(again.brokers.get(7)).toMatchObject({ brokerEpoch: 3, incarnationId: uuid(9), fenced: true });
  });

  it('log dirs that fail are not why a broker is fenced', () => {
    const image = clusterOf(1);
    const broker = { brokerId: 1, brokerEpoch: image.brokers.get(1)?.brokerEpoch ?? -1 };
    const fenced = record({
      $case: 'brokerChange',
      brokerChange: { ...broker, fenced: true, cause: 'session expired' },
    });
    const logDirs = { directories: [] };
    const failed = record({ $case: 'brokerChange', brokerChange: { ...broker, logDirs, cause: 'a log dir failed' } });
    const { state, logDirs: online } = after(image, fenced, failed).brokers.get(1) ?? {};
    expect(state).toMatchObject({ offset: image.endOffset, cause: 'session expired' });
    expect(online).toEqual([]);
  });

  it('changes only the fields of a broker that are set', () => {
    const image = clusterOf(1);
    const brokerEpoch = image.brokers.get(1)?.brokerEpoch ?? -1;
    const brokerChange = { brokerId: 1, brokerEpoch, inControlledShutdown: true, cause: '' };
    const { image: next, delta } = replay(image, {
      baseOffset: image.endOffset,
      endOffset: image.endOffset + 1,
      epoch: 4,
      records: [record({ $case: 'brokerChange', brokerChange })],
    });
    expect(next.brokers.get(1)).toMatchObject({ fenced: false, inControlledShutdown: true });
    expect(next.epoch).toBe(4);
    expect([...delta.brokers]).toEqual([1]);
    expect(image.brokers.get(1)?.inControlledShutdown).toBe(false); // the old image is a value
  });

  it('C-4.2: partitionEpoch rises with every change, leaderEpoch when the leader is set', () => {
    const shrunk = after(withTopic, change({ isr: [1] }));
    expect(partitionOf(shrunk, T, 0)).toMatchObject({ isr: [1], leader: 1, leaderEpoch: 0, partitionEpoch: 1 });
    const same = after(shrunk, change({ leader: 1 }));
    expect(partitionOf(same, T, 0)).toMatchObject({ leader: 1, leaderEpoch: 1, partitionEpoch: 2 });
    const none = after(same, change({ leader: -1 }));
    expect(partitionOf(none, T, 0)).toMatchObject({ leader: -1, leaderEpoch: 2, partitionEpoch: 3, isr: [1] });
  });

  it('removes a topic with its name and configs; the name can be used again with another id', () => {
    const image = after(withTopic, config(ConfigScope.TOPIC, 'a', 'segment.bytes', '100'));
    expect(configsOf(image, topicEntity('a')).get('segment.bytes')).toBe('100');
    const { image: gone, delta } = replay(image, { baseOffset: 99, endOffset: 100, epoch: 1, records: [remove] });
    expect(topicByName(gone, 'a')).toBeUndefined();
    expect(gone.configs.size + gone.topics.size + gone.topicIds.size).toBe(0);
    expect(delta.removedTopics.get(T)?.partitions.size).toBe(1);
    expect(delta.topics.size).toBe(0);
    const back = after(gone, topicRecord('a', uuid(2)));
    expect(topicByName(back, 'a')?.topicId).toBe(uuid(2));
  });

  it('sets and removes configs', () => {
    const set = after(EMPTY_IMAGE, config(ConfigScope.BROKER, '', 'k', 'v'), config(ConfigScope.BROKER, '3', 'k', ''));
    expect(configsOf(set, brokerEntity()).get('k')).toBe('v');
    expect(configsOf(set, brokerEntity(3)).get('k')).toBe('');
    const unset = after(set, config(ConfigScope.BROKER, '', 'k'), config(ConfigScope.BROKER, '3', 'other'));
    expect(configsOf(unset, brokerEntity()).size).toBe(0);
    expect([...unset.configs.keys()]).toEqual(['broker:3']);
  });

  it('keeps what a batch does not touch, moves the end, and says so', () => {
    const noOp = record({ $case: 'noOp', noOp: {} });
    const base = withTopic.endOffset;
    const { image, delta } = replay(withTopic, { baseOffset: base, endOffset: base + 1, epoch: 9, records: [noOp] });
    expect(isEmptyDelta(delta)).toBe(true);
    expect(image.topics).toBe(withTopic.topics);
    const control = replay(image, { baseOffset: base + 1, endOffset: base + 3, epoch: 9, records: [] });
    expect(control.image.endOffset).toBe(base + 3);
  });

  const producerIds = (nextProducerId: number) =>
    record({ $case: 'producerIds', producerIds: { brokerId: 1, brokerEpoch: 1, nextProducerId } });
  const brokerChange = (brokerId: number, brokerEpoch: number) =>
    record({ $case: 'brokerChange', brokerChange: { brokerId, brokerEpoch, fenced: true, cause: '' } });
  const bad: [string, MetadataRecord[]][] = [
    ['a level that does not rise', [LEVEL_1]],
    ['a level beyond this version', [record({ $case: 'metadataLevel', metadataLevel: { level: 99 } })]],
    ['a change of an unknown broker', [brokerChange(9, 1)]],
    ['a change for another broker epoch', [brokerChange(1, 77)]],
    ['a broker epoch that goes back', [registration(1, { brokerEpoch: 0 })]],
    ['a topic name in use', [topicRecord('a', uuid(5))]],
    ['a topic id in use', [topicRecord('b', T)]],
    ['a partition of an unknown topic', [partitionRecord(uuid(6), 0, [1])]],
    ['a partition out of turn', [partitionRecord(T, 2, [1])]],
    ['S-M2: a leader outside the ISR', [change({ isr: [2] })]],
    ['S-M2: an ISR outside the replicas', [change({ isr: [1, 3] })]],
    ['C-5.4: an empty ISR', [change({ isr: [], leader: -1 })]],
    ['a replica twice', [partitionRecord(T, 1, [1, 1])]],
    ['a directory missing', [partitionRecord(T, 1, [1], { directories: [] })]],
    ['a topic removed twice', [remove, remove]],
    ['a config of an unknown topic', [config(ConfigScope.TOPIC, 'nope', 'k', 'v')]],
    ['a config without a scope', [config(ConfigScope.UNSPECIFIED, 'a', 'k', 'v')]],
    ['producer ids that go back', [producerIds(1000), producerIds(500)]],
  ];
  it.each(bad)('C-0.4: %s ends the node', (_, records) => {
    expect(() => after(withTopic, ...records)).toThrow(AssertionError);
  });

  it('refuses a batch that does not follow the image', () => {
    expect(() => replay(withTopic, { baseOffset: 0, endOffset: 1, epoch: 1, records: [] })).toThrow(AssertionError);
    const tooShort = { baseOffset: withTopic.endOffset, endOffset: withTopic.endOffset, epoch: 1, records: [LEVEL_1] };
    expect(() => replay(withTopic, tooShort)).toThrow(AssertionError);
  });
});

it('C-9.1: an answer that is remembered does not keep the bytes of its batch, or of what it came with', () => {
  const config = { scope: ConfigScope.BROKER, entity: '', key: 'k', value: 'v'.repeat(100_000) };
  const command = { clientId: uuid(7), sequence: 1, method: 'M', reply: Uint8Array.of(1, 2) };
  const written = encodeRecords([record({ $case: 'config', config }), record({ $case: 'command', command })]);
  const image = after(withTopic, ...decodeRecords(written, withTopic.endOffset));
  const reply = image.commands.get(uuid(7))?.reply;
  expect(reply).toEqual(Uint8Array.of(1, 2));
  expect(reply?.buffer.byteLength).toBe(2);
});

it('a snapshot of an early version does not say what made a broker what it is: that is not known', () => {
  const early = { stateOffset: 0, stateTimestampMs: 0, stateCause: '', minMetadataLevel: 0, maxMetadataLevel: 0 };
  const image = imageFromRecords([LEVEL_1, registration(3, { brokerEpoch: 7, fenced: true, ...early })], 9, 1);
  const broker = image.brokers.get(3);
  expect(broker).toMatchObject({ minMetadataLevel: 1, maxMetadataLevel: 1 });
  expect(broker?.state).toEqual({ offset: -1, timestampMs: -1, cause: '' });
  expect(broker && brokerStateText(broker)).toBe('fenced');
});

describe('image records', () => {
  it('make the same image again', () => {
    const image = after(
      withTopic,
      record({ $case: 'metadataLevel', metadataLevel: { level: 2 } }),
      change({ isr: [2], leader: 2 }),
      record({
        $case: 'partitionChange',
        partitionChange: {
          ...{ topicId: T, partition: 0, cause: 'test', leader: 2, recovering: true, lastKnownLeader: 1 },
          ...{ replicas: { replicas: [1, 2, 3] }, adding: { replicas: [3] }, removing: { replicas: [1] } },
          ...{ elr: { replicas: [1] }, directories: { directories: [ZERO_UUID, uuid(1002), ZERO_UUID] } },
        },
      }),
      record({ $case: 'command', command: { clientId: uuid(7), sequence: 3, method: 'M', reply: Buffer.of(1, 2) } }),
      config(ConfigScope.TOPIC, 'a', 'segment.bytes', '100'),
      config(ConfigScope.BROKER, '', 'k', 'v'),
      record({ $case: 'producerIds', producerIds: { brokerId: 1, brokerEpoch: 1, nextProducerId: 2000 } }),
    );
    const again = imageFromRecords(imageToRecords(image), image.endOffset, image.epoch);
    expect(imageToRecords(again)).toEqual(imageToRecords(image));
    expect(again.endOffset).toBe(image.endOffset);
    expect(partitionOf(again, T, 0)).toEqual({
      replicas: [1, 2, 3],
      isr: [2],
      elr: [1],
      leader: 2,
      lastKnownLeader: 1,
      recovering: true,
      leaderEpoch: 2,
      partitionEpoch: 2,
      directories: [ZERO_UUID, uuid(1002), ZERO_UUID],
      adding: [3],
      removing: [1],
      leaderOffset: 7,
    });
    expect(again.commands.get(uuid(7))).toEqual({ sequence: 3, method: 'M', reply: Uint8Array.of(1, 2) });
    expect(again.commandBytes).toBe(2);
    expect(again.brokers.toJS()).toEqual(image.brokers.toJS());
    expect(again.nextProducerId).toBe(2000);
    expect(imageToRecords(EMPTY_IMAGE)).toEqual([]);
  });
});
