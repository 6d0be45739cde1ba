import { describe, expect, it } from 'vitest';
import { ignoredInFile, NO_OVERRIDES } from '../../../src/config/in-force.ts';
import { parseValue } from '../../../src/config/key.ts';
import { parseNodeConfig } from '../../../src/config/node-config.ts';
import { COMMITTED_KEYS, nodeKey } from '../../../src/config/node-keys.ts';
import { parseProperties } from '../../../src/config/properties.ts';
import { topicConfigOf, topicDefaults } from '../../../src/config/topic-config.ts';
import { TOPIC_KEYS, topicKey } from '../../../src/config/topic-keys.ts';

const BROKER = `
node.id=4
process.roles=broker
controller.quorum.voters=1@127.0.0.1:9093,2@127.0.0.1:9193,3@127.0.0.1:9293
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:9092,GRPC://127.0.0.1:9094
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=/var/kvorum/a,/var/kvorum/b
`;

function accepted(text: string) {
  const result = parseNodeConfig(text);
  if (!result.ok) throw new Error(result.errors.join('\n'));
  return result;
}

function errorsOf(text: string): readonly string[] {
  const result = parseNodeConfig(text);
  return result.ok ? [] : result.errors;
}

describe('parseProperties', () => {
  it('reads all separators, comments, continuations and escapes as java.util.Properties does', () => {
    const text = '# c\n! c\na=1\nb : 2\nc 3\n d\\=x = y \\\n   z\\u0041\\t|\ne\nf=\n';
    expect([...parseProperties(text)]).toEqual([
      ['a', '1'],
      ['b', '2'],
      ['c', '3'],
      ['d=x', 'y zA\t|'],
      ['e', ''],
      ['f', ''],
    ]);
  });

  it('lets the last of a duplicate win', () => {
    expect(parseProperties('a=1\na=2').get('a')).toBe('2');
  });

  it('names the line of a bad escape', () => {
    expect(() => parseProperties('a=1\nb=\\u12')).toThrow('line 2');
  });
});

describe('parseNodeConfig', () => {
  it("reads a broker's file", () => {
    const { config, warnings } = accepted(BROKER);
    expect(config).toMatchObject({ nodeId: 4, isBroker: true, isController: false, interBrokerListener: 'PLAINTEXT' });
    expect(config.voters[2]).toEqual({ id: 3, address: { host: '127.0.0.1', port: 9293 } });
    expect(config.listeners.map((it) => [it.name, it.kind, it.bind.port])).toEqual([
      ['PLAINTEXT', 'kafka', 9092],
      ['GRPC', 'grpc', 9094],
    ]);
    expect(config.metadataLogDir).toBe('/var/kvorum/a');
    expect(warnings).toEqual([]);
  });

  it('accepts combined roles', () => {
    const text = BROKER.replace('roles=broker', 'roles=broker,controller')
      .replace('node.id=4', 'node.id=1')
      .replace('listeners=PLAINTEXT', 'listeners=CONTROLLER://127.0.0.1:9093,PLAINTEXT');
    expect(accepted(text).config).toMatchObject({ isBroker: true, isController: true });
  });

  it('lists Kafka keys without use in one warning', () => {
    const { warnings } = accepted(`${BROKER}num.io.threads=8\nlog.cleaner.threads=1\nssl.keystore.location=/k\n`);
    expect(warnings).toEqual([
      'Kafka keys without use here, ignored: log.cleaner.threads, num.io.threads, ssl.keystore.location',
    ]);
  });

  it.each([
    ['log.retention.hours=168', 'log.retention.ms', 604_800_000],
    ['log.retention.hours=-1', 'log.retention.ms', -1],
    ['log.retention.hours=168\nlog.retention.minutes=30', 'log.retention.ms', 1_800_000],
    ['log.retention.minutes=30\nlog.retention.ms=1000\nlog.retention.hours=168', 'log.retention.ms', 1000],
    ['log.roll.hours=24', 'log.roll.ms', 86_400_000],
    ['log.roll.jitter.hours=2', 'log.roll.jitter.ms', 7_200_000],
    ['log.flush.scheduler.interval.ms=100', 'log.flush.interval.ms', 100],
    ['log.message.timestamp.difference.max.ms=7', 'log.message.timestamp.before.max.ms', 7],
    ['log.message.timestamp.difference.max.ms=7', 'log.message.timestamp.after.max.ms', 7],
  ] as const)('obeys %s as Kafka does: %s is %i', (lines, key, value) => {
    const { config, warnings } = accepted(`${BROKER}${lines}\n`);
    expect(config.values[key]).toBe(value);
    expect(config.setKeys.has(key)).toBe(true);
    expect(warnings.length).toBe(lines.split('\n').length - 1); // Each line that does not count is named.
  });

  it('takes broker.id for node.id', () => {
    const { config, warnings } = accepted(BROKER.replace('node.id=4', 'broker.id=4'));
    expect([config.nodeId, warnings]).toEqual([4, []]);
    expect(errorsOf(BROKER.replace('node.id=4', 'broker.id=four'))).toContainEqual(
      expect.stringContaining('broker.id=four is not valid'),
    );
  });

  it('names the nearest key of an unknown one', () => {
    expect(errorsOf(`${BROKER}log.dir.s=/x\nnum.partition=3\n`)).toEqual([
      'log.dir.s is not a key of Kvorum or Kafka; the nearest is log.dirs',
      'num.partition is not a key of Kvorum or Kafka; the nearest is num.partitions',
    ]);
  });

  it('names none where no key resembles it', () => {
    expect(errorsOf(`${BROKER}foo=1\n`)).toEqual(['foo is not a key of Kvorum or Kafka']);
  });

  it.each([
    ['num.partitions=zero', 'num.partitions=zero is not valid: it takes a whole number from 1 to 10000'],
    ['auto.create.topics.enable=yes', 'auto.create.topics.enable=yes is not valid: it takes true or false'],
    ['default.replication.factor=0', 'it takes a whole number from 1 to 32767, or -1'],
    ['log.flush.mode=maybe', 'log.flush.mode=maybe is not valid: it takes one of sync, async'],
    ['socket.request.max.bytes=-1', 'from 1 to 2147483647 bytes'],
    ['process.roles=zookeeper', 'process.roles=zookeeper is not valid'],
    ['controller.quorum.voters=1@127.0.0.1', 'is not id@host:port'],
    ['controller.quorum.voters=4@127.0.0.1:9093', 'process.roles lacks controller'],
    ['listeners=PLAINTEXT:9092', 'is not NAME://host:port'],
    ['listeners=GRPC://127.0.0.1:9094', 'a broker needs a Kafka listener'],
    ['listeners=PLAINTEXT://0.0.0.0:9092', 'set advertised.listeners=PLAINTEXT://host:port'],
    ['listener.security.protocol.map=PLAINTEXT:SASL_SSL', 'asks for SASL_SSL, which this version does not have'],
    ['inter.broker.listener.name=OTHER', 'inter.broker.listener.name=OTHER is not one of the Kafka listeners'],
    ['log.dirs=', 'log.dirs is missing'],
    ['log.dirs=/a,/a', 'log.dirs names a folder twice'],
    ['node.id=-1', 'node.id is missing'],
    ['broker.heartbeat.interval.ms=9000', 'must be less than broker.session.timeout.ms=9000'],
    [
      'log.cleaner.max.compaction.lag.ms=1\nlog.cleaner.min.compaction.lag.ms=2',
      'log.cleaner.min.compaction.lag.ms=2 must be at most log.cleaner.max.compaction.lag.ms=1',
    ],
    ['log.retention.hours=week', 'log.retention.hours=week is not valid: it takes a whole number from -1 to'],
    ['log.roll.hours=0', 'log.roll.hours=0 is not valid: it takes a whole number from 1 to'],
    ['broker.connection.grace.ms=9001', 'must be at most broker.session.timeout.ms=9000'],
    ['controller.quorum.bootstrap.servers=a:1', 'not both'],
  ])('refuses %s', (line, message) => {
    expect(errorsOf(`${BROKER}${line}\n`).join('\n')).toContain(message);
  });

  it('binds a listener without a host to loopback and says so', () => {
    const { config, warnings } = accepted(`${BROKER}listeners=PLAINTEXT://:9092\n`);
    expect(config.listeners[0]?.bind).toEqual({ host: '127.0.0.1', port: 9092 });
    expect(warnings[0]).toContain('bound to 127.0.0.1');
  });

  it('takes timeouts from the profile, and single keys over it', () => {
    const { config } = accepted(`${BROKER}timing.profile=fast\ncontroller.quorum.fetch.timeout.ms=777\n`);
    expect(config.values['controller.quorum.election.timeout.ms']).toBe(150);
    expect(config.values['controller.quorum.fetch.timeout.ms']).toBe(777);
    expect(accepted(BROKER).config.values['controller.quorum.election.timeout.ms']).toBe(1000);
  });

  it('takes bootstrap servers instead of voters', () => {
    const { config } = accepted(
      `${BROKER}controller.quorum.voters=\ncontroller.quorum.bootstrap.servers=127.0.0.1:9093,[::1]:9193\n`,
    );
    expect(config.bootstrapServers).toEqual([
      { host: '127.0.0.1', port: 9093 },
      { host: '::1', port: 9193 },
    ]);
  });
});

describe('topic configs', () => {
  const none = { broker: NO_OVERRIDES, cluster: NO_OVERRIDES };

  it('prefers the topic over the node', () => {
    const { values } = accepted(BROKER).config;
    const config = topicConfigOf(new Map([['segment.bytes', '1000000']]), topicDefaults(none, values));
    expect(config).toMatchObject({ segmentBytes: 1_000_000, flushMode: 'sync', maxMessageBytes: 1_048_588 });
  });

  it('prefers the broker over all brokers, and those over the file; a value that is not valid does not count', () => {
    const { values } = accepted(
      `${BROKER}log.segment.bytes=1000\nmessage.max.bytes=1000\nlog.flush.mode=async\n`,
    ).config;
    const cluster = new Map([
      ['log.segment.bytes', '2000'],
      ['message.max.bytes', '2000'],
      ['log.flush.mode', 'later'],
    ]);
    const broker = new Map([['log.segment.bytes', '3000']]);
    expect(topicDefaults({ broker, cluster }, values)).toMatchObject({
      segmentBytes: 3000,
      indexIntervalBytes: 4096,
      maxMessageBytes: 2000,
      timestampType: 'CreateTime',
      flushMode: 'async',
      minInsyncReplicas: 2,
    });
  });

  it('C-10.1: min.insync.replicas is what the cluster says, never a file or one broker', () => {
    const { values } = accepted(`${BROKER}min.insync.replicas=3\n`).config;
    const broker = new Map([['min.insync.replicas', '4']]);
    expect(topicDefaults({ broker, cluster: NO_OVERRIDES }, values).minInsyncReplicas).toBe(2);
    const cluster = new Map([['min.insync.replicas', '1']]);
    expect(topicDefaults({ broker, cluster }, values).minInsyncReplicas).toBe(1);
  });

  it('C-10.1: says which lines of a file are in vain', () => {
    const { config } = accepted(`${BROKER}min.insync.replicas=3\nunclean.leader.election.enable=false\n`);
    expect(ignoredInFile(NO_OVERRIDES, config)).toEqual([
      expect.stringMatching(/^min\.insync\.replicas=3 .* one value, 2:/),
    ]);
    expect(ignoredInFile(new Map([['min.insync.replicas', '3']]), config)).toEqual([]);
    expect(ignoredInFile(new Map([['min.insync.replicas', '2']]), accepted(BROKER).config)).toEqual([]);
  });

  it('shares the defaults among topics without configs', () => {
    const defaults = topicDefaults(none, accepted(BROKER).config.values);
    expect(topicConfigOf(new Map(), defaults)).toBe(defaults);
  });
});

describe('the key table', () => {
  it('reads lists, each item once', () => {
    const { key } = topicKey('cleanup.policy');
    expect(parseValue('cleanup.policy', key, ' compact , delete,compact')).toEqual({
      ok: true,
      value: 'compact,delete',
    });
    expect(parseValue('cleanup.policy', key, 'compact,shred')).toMatchObject({ ok: false });
    expect(parseValue('cleanup.policy', key, ',')).toEqual({
      ok: false,
      error: 'cleanup.policy=, is not valid: it takes one or more of delete, compact, comma separated',
    });
  });

  it('takes the greatest number of Kafka for no limit, where there is none', () => {
    const { key } = topicKey('retention.ms');
    const noLimit = { ok: true, value: Number.MAX_SAFE_INTEGER };
    expect(parseValue('retention.ms', key, '9223372036854775807')).toEqual(noLimit);
    expect(parseValue('retention.ms', key, '9223372036854775808')).toMatchObject({ ok: false });
    expect(parseValue('node.id', nodeKey('node.id'), '9223372036854775807')).toMatchObject({ ok: false });
  });

  it('reads fractions where the key takes them', () => {
    const { key } = topicKey('min.cleanable.dirty.ratio');
    expect(parseValue('r', key, '0.25')).toEqual({ ok: true, value: 0.25 });
    expect(parseValue('r', key, '1.5')).toEqual({
      ok: false,
      error: 'r=1.5 is not valid: it takes a number from 0 to 1',
    });
    expect(parseValue('r', topicKey('segment.bytes').key, '100.5')).toMatchObject({ ok: false });
  });

  it('knows which keys the file sets', () => {
    const { setKeys } = accepted(`${BROKER}timing.profile=fast\n`).config;
    expect(setKeys.has('timing.profile')).toBe(true);
    expect(setKeys.has('controller.quorum.election.timeout.ms')).toBe(false);
    expect(setKeys.has('num.partitions')).toBe(false);
  });

  it('every topic key falls back to a key that can be altered', () => {
    const fallbacks = Object.values(TOPIC_KEYS).flatMap(({ fallback }) => (fallback === undefined ? [] : [fallback]));
    for (const name of fallbacks) expect(nodeKey(name).scope).toBeDefined();
    expect(COMMITTED_KEYS.every((name) => nodeKey(name).scope === 'committed')).toBe(true);
  });
});
