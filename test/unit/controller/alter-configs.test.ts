// Configs of topics, brokers and all brokers: what can be altered, how, and what goes with it (C-5.5, C-10).
import { describe, expect, it } from 'vitest';
import { parseNodeConfig } from '../../../src/config/node-config.ts';
import { decideAlterConfigs, MAX_CHANGES_PER_REQUEST } from '../../../src/controller/decide/alter-configs.ts';
import { bootstrapConfigs } from '../../../src/controller/decide/bootstrap-configs.ts';
import { decideCreateTopics } from '../../../src/controller/decide/create-topics.ts';
import { electionPolicyOf } from '../../../src/controller/decide/policy.ts';
import type { ConfigAlteration, ResourceAlteration } from '../../../src/gen/kvorum/v1/admin.ts';
import { ConfigOperation } from '../../../src/gen/kvorum/v1/admin.ts';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import type { MetadataImage } from '../../../src/metadata/image.ts';
import { brokerEntity, configsOf, EMPTY_IMAGE, topicByName, topicEntity } from '../../../src/metadata/image.ts';
import { after, clusterOf, partitionRecord, record, registration, topicRecord, uuid } from '../metadata/fixture.ts';

const { SET, RESET, APPEND, SUBTRACT, UNSPECIFIED } = ConfigOperation;
const LEVEL_2 = record({ $case: 'metadataLevel', metadataLevel: { level: 2 } });
const [T, U] = [uuid(50), uuid(51)];
const level1 = after(clusterOf(1, 2), topicRecord('t', T), partitionRecord(T, 0, [1, 2]), topicRecord('u', U));
const base = after(level1, partitionRecord(U, 0, [1, 2]), LEVEL_2);

const set = (key: string, value: string): ConfigAlteration => ({ key, operation: SET, value });
const reset = (key: string): ConfigAlteration => ({ key, operation: RESET, value: '' });
const on = (scope: ConfigScope, name: string, ...alterations: ConfigAlteration[]): ResourceAlteration => ({
  resource: { scope, name },
  alterations,
});
const onTopic = (name: string, ...alterations: ConfigAlteration[]) => on(ConfigScope.TOPIC, name, ...alterations);
const onBroker = (name: string, ...alterations: ConfigAlteration[]) => on(ConfigScope.BROKER, name, ...alterations);

function alter(image: MetadataImage, resources: ResourceAlteration[], validateOnly = false) {
  const { records, respond } = decideAlterConfigs(image, { resources, validateOnly, forwarded: false });
  const result = after(image, ...records);
  const response = respond(result);
  expect(response.metadataEndOffset).toBe(result.endOffset);
  expect(response.resources.map(({ resource }) => resource)).toEqual(resources.map(({ resource }) => resource));
  return { records, image: result, errors: response.resources.map(({ error }) => error) };
}

function altered(image: MetadataImage, ...resources: ResourceAlteration[]): MetadataImage {
  const { image: result, errors } = alter(image, resources);
  expect(errors.filter((error) => error !== undefined)).toEqual([]);
  return result;
}

const ofTopic = (image: MetadataImage, name: string) => configsOf(image, topicEntity(name)).toObject();

describe('alterConfigs', () => {
  it('sets and resets keys of a topic, a broker, and all brokers', () => {
    const image = altered(
      base,
      onTopic('t', set('segment.bytes', '1000'), set('retention.ms', '-1')),
      onBroker('1', set('log.flush.mode', 'async')),
      onBroker('', set('num.partitions', '6')),
    );
    expect(ofTopic(image, 't')).toEqual({ 'segment.bytes': '1000', 'retention.ms': '-1' });
    expect(configsOf(image, brokerEntity(1)).toObject()).toEqual({ 'log.flush.mode': 'async' });
    expect(configsOf(image, brokerEntity()).toObject()).toEqual({ 'num.partitions': '6' });
    const back = altered(image, onTopic('t', reset('segment.bytes')), onBroker('', reset('num.partitions')));
    expect(ofTopic(back, 't')).toEqual({ 'retention.ms': '-1' });
    expect(back.configs.has(brokerEntity())).toBe(false);
  });

  it('stores values in one form, and writes nothing where nothing changes (C-9.1a)', () => {
    const image = altered(base, onTopic('t', set('segment.bytes', ' +01000 '), set('preallocate', 'TRUE')));
    expect(ofTopic(image, 't')).toEqual({ 'segment.bytes': '1000', preallocate: 'true' });
    const again = alter(image, [onTopic('t', set('segment.bytes', '1000'), reset('retention.ms'))]);
    expect([again.records, again.errors]).toEqual([[], [undefined]]);
  });

  it('appends to lists and subtracts from them, beginning with the default', () => {
    const edit = (operation: ConfigOperation, value: string) =>
      onTopic('t', { key: 'cleanup.policy', operation, value });
    const both = altered(base, edit(APPEND, 'compact'));
    expect(ofTopic(both, 't')).toEqual({ 'cleanup.policy': 'delete,compact' });
    expect(alter(both, [edit(APPEND, 'compact, delete')]).records).toEqual([]);
    expect(ofTopic(altered(both, edit(SUBTRACT, 'delete')), 't')).toEqual({ 'cleanup.policy': 'compact' });
    expect(alter(both, [edit(SUBTRACT, 'delete,compact')]).errors[0]?.message).toContain('one or more of');
    expect(alter(both, [edit(APPEND, ' , ')]).errors[0]?.message).toContain('no item is named');
    expect(alter(both, [edit(APPEND, 'shred')]).errors[0]?.message).toContain('one or more of');
  });

  it('alters each resource whole or not at all, the others with it', () => {
    const { image, errors } = alter(base, [
      onTopic('t', set('segment.bytes', '1000'), set('segment.ms', '0')),
      onTopic('u', set('segment.bytes', '2000')),
    ]);
    expect(errors.map((error) => error?.name)).toEqual(['INVALID_CONFIG', undefined]);
    expect([ofTopic(image, 't'), ofTopic(image, 'u')]).toEqual([{}, { 'segment.bytes': '2000' }]);
  });

  it('validate_only answers the same and writes nothing', () => {
    const resources = [onTopic('t', set('segment.bytes', '1000')), onTopic('t2', set('segment.bytes', '1'))];
    const { records, errors } = alter(base, resources, true);
    expect(records).toEqual([]);
    expect(errors.map((error) => error?.name)).toEqual([undefined, 'UNKNOWN_TOPIC_OR_PARTITION']);
  });

  it('removes what an earlier version stored and this one does not know', () => {
    const odd = { scope: ConfigScope.TOPIC, entity: 't', key: 'color', value: 'red' };
    const image = after(base, record({ $case: 'config', config: odd }));
    expect(ofTopic(altered(image, onTopic('t', reset('color'))), 't')).toEqual({});
    expect(alter(base, [onTopic('t', reset('color'))]).errors[0]?.message).toContain('color is not a topic config');
  });

  const refused: [string, ResourceAlteration[], string, RegExp][] = [
    ['a topic that is not there', [onTopic('x', set('segment.bytes', '1000'))], 'UNKNOWN_TOPIC_OR_PARTITION', /'x'/],
    [
      'a broker that is not there',
      [onBroker('3', set('log.flush.mode', 'sync'))],
      'BROKER_ID_NOT_REGISTERED',
      /there are 1, 2/,
    ],
    ['no broker id', [onBroker('b1', set('log.flush.mode', 'sync'))], 'INVALID_REQUEST', /'b1' is not a broker/],
    ['no scope', [on(ConfigScope.UNSPECIFIED, 't')], 'INVALID_REQUEST', /scope/],
    ['a resource named twice', [onTopic('t'), onTopic('t')], 'INVALID_REQUEST', /topic 't' more than once/],
    ['all brokers named twice', [onBroker(''), onBroker('')], 'INVALID_REQUEST', /all brokers more than once/],
    ['a key twice', [onTopic('t', set('segment.ms', '1'), reset('segment.ms'))], 'INVALID_REQUEST', /segment\.ms more/],
    ['an unknown key', [onTopic('t', set('segment.byte', '1'))], 'INVALID_CONFIG', /nearest is segment\.bytes/],
    [
      'an unknown broker key',
      [onBroker('1', set('log.flush.mod', 'sync'))],
      'INVALID_CONFIG',
      /nearest.*log\.flush\.mode/,
    ],
    [
      'compaction lags that cannot both hold',
      [onTopic('t', set('max.compaction.lag.ms', '5'), set('min.compaction.lag.ms', '6'))],
      'INVALID_CONFIG',
      /^min\.compaction\.lag\.ms=6 must be at most max\.compaction\.lag\.ms=5$/,
    ],
    [
      'the same for brokers',
      [onBroker('', set('log.cleaner.max.compaction.lag.ms', '5'), set('log.cleaner.min.compaction.lag.ms', '6'))],
      'INVALID_CONFIG',
      /^log\.cleaner\.min\.compaction\.lag\.ms=6 must be at most/,
    ],
    ['a key of Kafka alone', [onBroker('', set('log.cleaner.threads', '1'))], 'INVALID_CONFIG', /no use here/],
    ['a value out of range', [onTopic('t', set('segment.bytes', '3'))], 'INVALID_CONFIG', /from 14 to/],
    ['what is read at the start', [onBroker('1', set('log.dirs', '/d'))], 'INVALID_CONFIG', /file of each node/],
    [
      'the same for all',
      [onBroker('', set('broker.session.timeout.ms', '1'))],
      'INVALID_CONFIG',
      /start the node again/,
    ],
    ['what brokers must agree on', [onBroker('1', set('min.insync.replicas', '2'))], 'INVALID_CONFIG', /all of them/],
    [
      'an append to no list',
      [onTopic('t', { key: 'segment.ms', operation: APPEND, value: '1' })],
      'INVALID_CONFIG',
      /not a list/,
    ],
    [
      'no operation',
      [onTopic('t', { key: 'segment.ms', operation: UNSPECIFIED, value: '1' })],
      'INVALID_CONFIG',
      /one of/,
    ],
    [
      'a reset to a value',
      [onTopic('t', { key: 'segment.ms', operation: RESET, value: '1' })],
      'INVALID_CONFIG',
      /reset/,
    ],
  ];
  it.each(refused)('refuses %s', (_, resources, name, message) => {
    const { records, errors } = alter(base, resources);
    expect(records).toEqual([]);
    for (const error of errors) {
      expect(error?.name).toBe(name);
      expect(error?.message).toMatch(message);
    }
  });

  it('C-0.6: bounds what a request changes', () => {
    const many = Array.from({ length: MAX_CHANGES_PER_REQUEST }, (_, i) => set(`key${i}`, '1'));
    const { errors } = alter(base, [
      onTopic('t', ...many, set('segment.bytes', '1000')),
      onTopic('u', reset('segment.ms')),
    ]);
    expect(errors.map((error) => error?.name)).toEqual(['POLICY_VIOLATION', undefined]);
  });
});

describe('unclean.leader.election.enable', () => {
  it('C-10.1, C-10.2: set on a topic or for all brokers, is what elections go by', () => {
    const image = altered(base, onTopic('t', set('unclean.leader.election.enable', 'true')));
    expect(electionPolicyOf(image).uncleanCause('t')).toContain('topic t');
    expect(electionPolicyOf(image).uncleanCause('u')).toBeUndefined();
    const all = altered(image, onBroker('', set('unclean.leader.election.enable', 'true')));
    expect(electionPolicyOf(all).uncleanCause('u')).toBeDefined();
  });

  it('is refused below the metadata level that has it, for new topics too', () => {
    const key = 'unclean.leader.election.enable';
    const { errors } = alter(level1, [onTopic('t', set(key, 'true')), onBroker('', set(key, 'true'))]);
    for (const error of errors) expect(error?.message).toContain('kvorum cluster upgrade');
    altered(level1, onTopic('t', set(key, 'false')));
    const topic = { name: 'n', partitions: 1, replicationFactor: 1, configs: { [key]: 'true' }, assignments: [] };
    const defaults = { defaultPartitions: 1, defaultReplicationFactor: 1 };
    const context = { ...defaults, newTopicId: () => uuid(900) };
    const request = { topics: [topic], validateOnly: false, forwarded: false };
    const { records, respond } = decideCreateTopics(level1, request, context);
    expect(records).toEqual([]);
    expect(respond(level1).topics[0]?.error?.message).toContain('kvorum cluster upgrade');
  });
});

describe('C-5.5: another min.insync.replicas', () => {
  const MIN_ISR = 'min.insync.replicas';
  /** t has ISR [1] and ELR [2], u an empty ISR and ELR [1, 2], with min.insync.replicas=3 for all brokers. */
  const waiting = after(
    altered(base, onBroker('', set(MIN_ISR, '3'))),
    record({
      $case: 'partitionChange',
      partitionChange: { topicId: T, partition: 0, isr: { replicas: [1] }, elr: { replicas: [2] }, cause: 'test' },
    }),
    record({
      $case: 'partitionChange',
      partitionChange: {
        topicId: U,
        partition: 0,
        isr: { replicas: [] },
        elr: { replicas: [1, 2] },
        leader: -1,
        cause: 'test',
      },
    }),
  );
  const elrOf = (image: MetadataImage, name: string) => topicByName(image, name)?.partitions.get(0)?.elr;

  it.each<[string, ResourceAlteration]>([
    ['of the topic', onTopic('t', set(MIN_ISR, '1'))],
    ['of all brokers', onBroker('', set(MIN_ISR, '1'))],
    ['by the default', onBroker('', reset(MIN_ISR))],
  ])('%s ends the ELR of its partitions in the same batch, after the config', (_, resource) => {
    const { records, image } = alter(waiting, [resource]);
    expect(elrOf(image, 't')).toEqual([]);
    expect(records.map(({ kind }) => kind?.$case)).toEqual(['config', 'partitionChange']);
    expect(elrOf(image, 'u')).toEqual([1, 2]); // nobody leads, and so nothing is acknowledged
  });

  it('of other topics, or the same as before, leaves it', () => {
    expect(elrOf(altered(waiting, onTopic('u', set(MIN_ISR, '1'))), 't')).toEqual([2]);
    const same = altered(waiting, onTopic('t', set(MIN_ISR, '3')));
    expect(elrOf(same, 't')).toEqual([2]);
    expect(elrOf(altered(same, onBroker('', set(MIN_ISR, '1'))), 't')).toEqual([2]);
  });

  it('goes by what a request makes of topic and default together', () => {
    const both = [onTopic('t', set(MIN_ISR, '3')), onBroker('', set(MIN_ISR, '1'))];
    for (const resources of [both, both.toReversed()]) expect(elrOf(alter(waiting, resources).image, 't')).toEqual([2]);
  });
});

describe('bootstrapConfigs', () => {
  it('C-10.1: takes what the founder’s file says of keys that all must agree on, and nothing else', () => {
    const founder = (...lines: string[]) => {
      const text = ['node.id=1', 'process.roles=broker', 'log.dirs=/d', 'controller.quorum.voters=100@h:1', ...lines];
      const result = parseNodeConfig(text.join('\n'));
      if (!result.ok) throw new Error(result.errors.join());
      return after(EMPTY_IMAGE, LEVEL_2, ...bootstrapConfigs(result.config), registration(1));
    };
    const image = founder('min.insync.replicas=2', 'unclean.leader.election.enable=true', 'num.partitions=7');
    expect(configsOf(image, brokerEntity()).toObject()).toEqual({
      'min.insync.replicas': '2',
      'unclean.leader.election.enable': 'true',
    });
    expect(founder('num.partitions=7').configs.size).toBe(0);
  });
});

describe('compaction lags', () => {
  it('are compared as they are in force: what a topic does not set comes from all brokers', () => {
    const image = altered(base, onBroker('', set('log.cleaner.max.compaction.lag.ms', '1000')));
    const { errors } = alter(image, [
      onTopic('t', set('min.compaction.lag.ms', '1001')),
      onTopic('u', set('min.compaction.lag.ms', '1000')),
    ]);
    expect(errors.map((error) => error?.message)).toEqual([
      'min.compaction.lag.ms=1001 must be at most max.compaction.lag.ms=1000',
      undefined,
    ]);
  });
});
