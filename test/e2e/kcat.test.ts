// An unmodified client against a whole cluster: what it writes it reads back, record by record.
import { createReadStream, statSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KEY_DELIMITER, keyOf, valueOf, writeRecords } from './generated-records.ts';
import type { KcatRecord } from './kcat.ts';
import {
  consumeWithKcat,
  hasKcat,
  kcat,
  kcatOk,
  leadersWithKcat,
  listWithKcat,
  parseLines,
  startKcat,
} from './kcat.ts';
import type { RunningDev } from './kvorum.ts';
import { kvorumOk, startDev } from './kvorum.ts';
import { cleanUp, temporaryFolder } from './processes.ts';
import { storedPartitions } from './stored-batches.ts';

const MEGABYTE = 1_000_000;
/** Of a topic that says nothing else. */
const REPLICAS = 3;

// kcat.ts has said why there is none.
describe.skipIf(!hasKcat)('kcat', () => {
  let cluster: RunningDev;
  let bootstrap: string;

  beforeAll(async () => {
    cluster = await startDev();
    bootstrap = cluster.bootstrap.join(',');
  });
  afterAll(cleanUp);

  async function createTopic(topic: string, partitions: number): Promise<void> {
    await kvorumOk(['topic', 'create', topic, '--partitions', String(partitions), '--server', cluster.server]);
  }

  /** Pipes the file through `kcat -P`. */
  async function produceFile(file: string, topic: string, args: readonly string[]): Promise<void> {
    const producer = startKcat(['-P', '-b', bootstrap, '-t', topic, '-K', KEY_DELIMITER, ...args]);
    await pipeline(createReadStream(file), producer.stdin);
    const { code, stderr } = await producer.ended(120_000);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  }

  it('shows topics with leaders spread over all brokers', async () => {
    await createTopic('spread', 6);
    const { brokers } = await listWithKcat(bootstrap);
    expect(new Set(brokers.map(({ id }) => id))).toEqual(new Set([4, 5, 6]));
    expect(await leadersWithKcat(bootstrap, 'spread')).toEqual([4, 4, 5, 5, 6, 6]);
  });

  it('creates a topic by producing to it', async () => {
    await kcatOk(['-P', '-b', bootstrap, '-t', 'made-by-use'], 'one\ntwo\n');
    const records = await consumeWithKcat(bootstrap, 'made-by-use');
    expect(records.map(({ offset, payload }) => [offset, payload])).toEqual([
      [0, 'one'],
      [1, 'two'],
    ]);
    expect(await kvorumOk(['topic', 'list', '--server', cluster.server])).toContain('made-by-use');
  });

  it.for([
    { codec: 'none', megabytes: 100, idempotent: false },
    { codec: 'gzip', megabytes: 20, idempotent: false },
    { codec: 'snappy', megabytes: 20, idempotent: true },
    { codec: 'lz4', megabytes: 20, idempotent: false },
    { codec: 'zstd', megabytes: 20, idempotent: true },
  ])(
    'reads back a file of $megabytes MB, $codec, idempotent: $idempotent',
    async ({ codec, megabytes, idempotent }) => {
      const file = join(temporaryFolder(), 'records');
      const count = await writeRecords(file, megabytes * MEGABYTE);
      expect(statSync(file).size).toBeGreaterThanOrEqual(megabytes * MEGABYTE);
      const topic = `file-${codec}`;
      await createTopic(topic, 6);
      await produceFile(file, topic, [
        ...(codec === 'none' ? [] : ['-z', codec]),
        ...(idempotent ? ['-X', 'enable.idempotence=true', '-X', 'acks=all'] : []),
      ]);
      const read = await compareWithGenerated(bootstrap, topic);
      expect(read.count).toBe(count);
      expect(read.partitions).toBe(6);
      // The file was stored as the producer asked for, not unpacked or packed anew, and so it was copied.
      const stored = storedPartitions(cluster.dataDir, topic);
      expect(stored.map((it) => it.codec)).toEqual(Array(6 * REPLICAS).fill(codec));
      expect(stored.every(({ producerId }) => producerId >= 0n)).toBe(idempotent);
      const bytes = stored.reduce((sum, it) => sum + it.bytes, 0) / REPLICAS;
      if (codec === 'none') expect(bytes).toBeGreaterThan(megabytes * MEGABYTE);
      else expect(bytes).toBeLessThan(0.8 * megabytes * MEGABYTE);
    },
  );

  it('keeps keys, headers and null values', async () => {
    const headers = ['-H', 'source=e2e', '-H', 'nothing', '-H', 'umlaut=ü'];
    const input = 'a:1\nb:\n:3\nc:4:5\n';
    await createTopic('details', 1);
    await kcatOk(['-P', '-b', bootstrap, '-t', 'details', '-Z', '-K', ':', ...headers], input);
    const records = await consumeWithKcat(bootstrap, 'details');
    expect(records.map(({ key, payload }) => [key, payload])).toEqual([
      ['a', '1'],
      ['b', null],
      [null, '3'],
      ['c', '4:5'],
    ]);
    for (const record of records) {
      expect(record.headers).toEqual(['source', 'e2e', 'nothing', null, 'umlaut', 'ü']);
    }
  });

  describe('reads from', () => {
    const topic = 'positions';
    let records: KcatRecord[];

    beforeAll(async () => {
      await createTopic(topic, 1);
      // Each by a process of its own, so that each has a later timestamp than the one before.
      for (const value of ['a\nb\n', 'c\nd\n', 'e\n']) await kcatOk(['-P', '-b', bootstrap, '-t', topic], value);
      records = await consumeWithKcat(bootstrap, topic);
      expect(records.map(({ payload }) => payload).join('')).toBe('abcde');
    });

    async function payloadsFrom(...args: string[]): Promise<string> {
      const found = await consumeWithKcat(bootstrap, topic, ['-p', '0', ...args]);
      return found.map(({ payload }) => payload).join('');
    }

    it('the beginning, an offset, and back from the end', async () => {
      expect(await payloadsFrom('-o', 'beginning')).toBe('abcde');
      expect(await payloadsFrom('-o', '3')).toBe('de');
      expect(await payloadsFrom('-o', '-2')).toBe('de');
      expect(await payloadsFrom('-o', 'end')).toBe('');
    });

    it('a timestamp, exact, between two records, and later than all', async () => {
      const [, b, c, , e] = records.map(({ ts }) => ts) as [number, number, number, number, number];
      expect(b).toBeLessThan(c);
      expect(await payloadsFrom('-o', `s@${c}`)).toBe('cde');
      expect(await payloadsFrom('-o', `s@${b + 1}`)).toBe('cde');
      expect(await payloadsFrom('-o', `s@${e}`)).toBe('e');
      expect(await payloadsFrom('-o', `s@${e + 1}`)).toBe('');
      expect(await payloadsFrom('-o', `s@${c}`, '-o', `e@${e}`)).toBe('cd');
    });

    it('the end, and waits there for what comes', async () => {
      const consumer = startKcat(['-C', '-b', bootstrap, '-t', topic, '-p', '0', '-o', 'end', '-J', '-u', '-c', '2']);
      await consumer.until(({ stderr }) => stderr.includes('Reached end of topic positions [0] at offset 5'), 'end');
      await kcatOk(['-P', '-b', bootstrap, '-t', topic], 'f\ng\n');
      const { code, stdout } = await consumer.ended();
      expect(code).toBe(0);
      expect(parseLines(stdout).map(({ offset, payload }) => [offset, payload])).toEqual([
        [5, 'f'],
        [6, 'g'],
      ]);
    });
  });

  describe('is told what this version does not have', () => {
    it('consumer groups', async () => {
      const { code, stderr } = await startKcat(['-G', 'group-1', '-b', bootstrap, 'spread']).ended(10_000);
      expect(code).toBe(1);
      expect(stderr).toContain('this version of Kvorum has no consumer groups: assign partitions yourself');
    });

    it('transactions', async () => {
      const producer = startKcat(['-P', '-b', bootstrap, '-t', 'spread', '-X', 'transactional.id=tx-1']);
      producer.stdin.end('never to be written\n');
      const { code, stderr } = await producer.ended(10_000);
      expect(code).toBe(1);
      expect(stderr).toContain('this version of Kvorum has no transactions: use an idempotent producer');
      expect(await consumeWithKcat(bootstrap, 'spread')).toEqual([]);
    });
  });

  it('says that a topic is unknown where it may not create it', async () => {
    const { code, stderr } = await kcat(['-C', '-b', bootstrap, '-t', 'no-such-topic', '-e', '-o', 'beginning']);
    expect(code).toBe(1);
    expect(stderr).toContain('Unknown topic or partition');
  });
});

/** Reads the topic with kcat and checks each record against what the generator says of its number. */
async function compareWithGenerated(bootstrap: string, topic: string): Promise<{ count: number; partitions: number }> {
  const format = '%p\t%o\t%k\t%s\n';
  const consumer = startKcat(['-C', '-b', bootstrap, '-t', topic, '-o', 'beginning', '-e', '-q', '-f', format]);
  const { code, stdout, stderr } = await consumer.ended(120_000);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const seen = new Set<number>();
  const partitionOfKey = new Map<string, number>();
  /** By partition: the offset and the number of the last record. */
  const last = new Map<number, { offset: number; n: number }>();
  for (const line of stdout.split('\n')) {
    if (line === '') continue;
    const [p, o, key, value] = line.split('\t') as [string, string, string, string];
    const [partition, offset, n] = [Number(p), Number(o), Number.parseInt(value, 10)];
    const previous = last.get(partition) ?? { offset: -1, n: -1 };
    last.set(partition, { offset, n });
    seen.add(n);
    const home = partitionOfKey.get(key) ?? partition;
    partitionOfKey.set(key, home);
    const isRight = key === keyOf(n) && value === valueOf(n) && home === partition;
    if (!isRight || offset !== previous.offset + 1 || n <= previous.n) {
      throw new Error(`partition ${partition}, offset ${offset}: not what was produced: ${line.slice(0, 200)}`);
    }
  }
  return { count: seen.size, partitions: last.size };
}
