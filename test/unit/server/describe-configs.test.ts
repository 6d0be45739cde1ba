// Which config is in force, and where it comes from, as a node tells it.
import { describe, expect, it } from 'vitest';
import { must } from '../../../src/base/assert.ts';
import type { NodeConfig } from '../../../src/config/node-config.ts';
import { parseNodeConfig } from '../../../src/config/node-config.ts';
import { NODE_KEYS } from '../../../src/config/node-keys.ts';
import { TOPIC_KEYS } from '../../../src/config/topic-keys.ts';
import type { ConfigEntry, ResourceDescription } from '../../../src/gen/kvorum/v1/admin.ts';
import { ConfigSource } from '../../../src/gen/kvorum/v1/admin.ts';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import type { MetadataImage } from '../../../src/metadata/image.ts';
import { describeConfigs } from '../../../src/server/describe-configs.ts';
import { after, clusterOf, partitionRecord, record, topicRecord, uuid } from '../metadata/fixture.ts';

const { TOPIC, BROKER, CLUSTER_DEFAULT, FILE, DEFAULT } = ConfigSource;

function node(id: number, ...lines: string[]): NodeConfig {
  const text = [`node.id=${id}`, 'process.roles=broker', 'log.dirs=/d', 'controller.quorum.voters=100@h:1', ...lines];
  const result = parseNodeConfig(text.join('\n'));
  if (!result.ok) throw new Error(result.errors.join('\n'));
  return result.config;
}

function set(image: MetadataImage, scope: ConfigScope, entity: string, key: string, value: string): MetadataImage {
  return after(image, record({ $case: 'config', config: { scope, entity, key, value } }));
}

const plain = after(clusterOf(1, 2), topicRecord('t', uuid(50)), partitionRecord(uuid(50), 0, [1]));

function one(image: MetadataImage, scope: ConfigScope, name: string, config = node(1), keys: string[] = []) {
  const { resources, metadataEndOffset } = describeConfigs(image, { resources: [{ scope, name }], keys }, config);
  expect(metadataEndOffset).toBe(image.endOffset);
  return must(resources[0], 'the answer');
}

function entryOf({ entries }: Pick<ResourceDescription, 'entries'>, key: string): ConfigEntry {
  return must(
    entries.find((entry) => entry.key === key),
    key,
  );
}

const sources = ({ synonyms }: ConfigEntry) => synonyms.map(({ source, key, value }) => [source, key, value]);

describe('the configs of a topic', () => {
  it('come from the topic, this broker, all brokers, its file, or the table, in this order', () => {
    let image = set(plain, ConfigScope.TOPIC, 't', 'segment.bytes', '1000');
    image = set(image, ConfigScope.BROKER, '1', 'log.segment.bytes', '2000');
    image = set(image, ConfigScope.BROKER, '', 'log.segment.bytes', '3000');
    const it = entryOf(one(image, ConfigScope.TOPIC, 't', node(1, 'log.segment.bytes=4000')), 'segment.bytes');
    expect(it).toMatchObject({ value: '1000', source: TOPIC, readOnly: false, type: 'number' });
    expect(it.documentation).toBe(TOPIC_KEYS['segment.bytes'].key.doc);
    expect(sources(it)).toEqual([
      [TOPIC, 'segment.bytes', '1000'],
      [BROKER, 'log.segment.bytes', '2000'],
      [CLUSTER_DEFAULT, 'log.segment.bytes', '3000'],
      [FILE, 'log.segment.bytes', '4000'],
      [DEFAULT, 'log.segment.bytes', '1073741824'],
    ]);
  });

  it('are all there, by key; without a setting each has its default', () => {
    const { entries, note } = one(plain, ConfigScope.TOPIC, 't');
    expect(entries.map(({ key }) => key)).toEqual(Object.keys(TOPIC_KEYS).sort());
    expect(entries.every(({ source, synonyms }) => source === DEFAULT && synonyms.length === 1)).toBe(true);
    expect(note).toBeUndefined();
    expect(entryOf({ entries }, 'retention.ms').documentation).toBe(TOPIC_KEYS['retention.ms'].key.doc);
  });

  it('C-10.1: min.insync.replicas comes from no file and no single broker', () => {
    const image = set(plain, ConfigScope.BROKER, '1', 'min.insync.replicas', '4');
    const config = node(1, 'min.insync.replicas=3');
    expect(sources(entryOf(one(image, ConfigScope.TOPIC, 't', config), 'min.insync.replicas'))).toEqual([
      [DEFAULT, 'min.insync.replicas', '2'],
    ]);
    const agreed = set(image, ConfigScope.BROKER, '', 'min.insync.replicas', '3');
    expect(entryOf(one(agreed, ConfigScope.TOPIC, 't', config), 'min.insync.replicas')).toMatchObject({
      value: '3',
      source: CLUSTER_DEFAULT,
    });
  });

  it('as a controller tells them leave out what brokers have in their files, and it says so', () => {
    const { note, entries } = one(plain, ConfigScope.TOPIC, 't', node(9, 'log.segment.bytes=4000'));
    expect(entryOf({ entries }, 'segment.bytes')).toMatchObject({ source: DEFAULT });
    expect(note).toContain('node 9 is no broker');
  });

  it('a stored value that is not valid here does not count', () => {
    const image = set(plain, ConfigScope.TOPIC, 't', 'segment.bytes', 'many');
    expect(entryOf(one(image, ConfigScope.TOPIC, 't'), 'segment.bytes').source).toBe(DEFAULT);
  });
});

describe('the configs of a broker', () => {
  it('as it tells them itself are all of its file, with what can be altered marked', () => {
    const image = set(plain, ConfigScope.BROKER, '1', 'log.flush.mode', 'async');
    const it = one(image, ConfigScope.BROKER, '1', node(1, 'broker.rack=a', 'timing.profile=fast'));
    expect(it.entries.map(({ key }) => key)).toEqual(Object.keys(NODE_KEYS).sort());
    expect(it.note).toBeUndefined();
    expect(entryOf(it, 'broker.rack')).toMatchObject({ value: 'a', source: FILE, readOnly: true, type: 'text' });
    expect(entryOf(it, 'log.flush.mode')).toMatchObject({ value: 'async', source: BROKER, readOnly: false });
    expect(sources(entryOf(it, 'controller.quorum.election.timeout.ms'))).toEqual([
      [FILE, 'timing.profile', '150'],
      [DEFAULT, 'controller.quorum.election.timeout.ms', '1000'],
    ]);
    const own = node(1, 'timing.profile=fast', 'controller.quorum.election.timeout.ms=99');
    const timeout = one(image, ConfigScope.BROKER, '1', own, ['controller.quorum.election.timeout.ms']);
    expect(sources(entryOf(timeout, 'controller.quorum.election.timeout.ms'))[0]?.[2]).toBe('99');
  });

  it('as another node tells them are those that the metadata knows, and it says who knows the rest', () => {
    const image = set(plain, ConfigScope.BROKER, '2', 'log.flush.mode', 'async');
    const it = one(image, ConfigScope.BROKER, '2', node(1, 'message.max.bytes=5'));
    expect(entryOf(it, 'log.flush.mode')).toMatchObject({ value: 'async', source: BROKER });
    expect(entryOf(it, 'message.max.bytes')).toMatchObject({ source: DEFAULT });
    expect(it.entries.some(({ key }) => key === 'node.id')).toBe(false);
    expect(it.note).toContain('ask that broker');
  });

  it('a controller tells its own likewise', () => {
    const it = one(plain, ConfigScope.BROKER, '9', node(9, 'num.partitions=3'));
    expect(entryOf(it, 'num.partitions')).toMatchObject({ value: '3', source: FILE });
  });

  it('for all brokers are those that can be altered', () => {
    const image = set(plain, ConfigScope.BROKER, '', 'num.partitions', '6');
    const it = one(image, ConfigScope.BROKER, '', node(1, 'num.partitions=3'));
    expect(sources(entryOf(it, 'num.partitions'))).toEqual([
      [CLUSTER_DEFAULT, 'num.partitions', '6'],
      [DEFAULT, 'num.partitions', '1'],
    ]);
    expect(it.entries.every(({ readOnly }) => !readOnly)).toBe(true);
  });
});

describe('what is asked', () => {
  it('can be single keys', () => {
    const { entries } = one(plain, ConfigScope.TOPIC, 't', node(1), ['segment.bytes', 'retention.ms']);
    expect(entries.map(({ key }) => key)).toEqual(['retention.ms', 'segment.bytes']);
  });

  it.each<[ConfigScope, string, string[], string, RegExp]>([
    [ConfigScope.TOPIC, 't', ['segment.byte'], 'INVALID_CONFIG', /nearest is segment\.bytes/],
    [ConfigScope.BROKER, '1', ['node.ids'], 'INVALID_CONFIG', /nearest is node\.id/],
    [ConfigScope.TOPIC, 'x', [], 'UNKNOWN_TOPIC_OR_PARTITION', /no topic 'x'/],
    [ConfigScope.BROKER, '3', [], 'BROKER_ID_NOT_REGISTERED', /broker 3/],
    [ConfigScope.BROKER, '01', [], 'INVALID_REQUEST', /'01' is not a broker/],
    [ConfigScope.UNSPECIFIED, 't', [], 'INVALID_REQUEST', /scope/],
  ])('is refused by item: %s %j %j', (scope, name, keys, error, message) => {
    const it = one(plain, scope, name, node(1), keys);
    expect(it.entries).toEqual([]);
    expect(it.error?.name).toBe(error);
    expect(it.error?.message).toMatch(message);
  });
});
