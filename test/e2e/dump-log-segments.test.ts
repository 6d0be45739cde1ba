// What a broker of ours writes is read by Kafka's own tool without a complaint, record by record as produced, and by ours.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { complaintsIn, dumpLogSegments, hasDumpLogSegments, recordsIn } from './dump-log-segments.ts';
import { hasKcat, kcatOk } from './kcat.ts';
import { clusterServes, kvorum, kvorumOk, startNode } from './kvorum.ts';
import { cleanUp, eventually, temporaryFolder } from './processes.ts';
import type { SingleNode } from './single-node.ts';
import { formatSingleNode } from './single-node.ts';

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const COUNT = 6000;

function payload(topic: string, n: number): string {
  return `${topic}-${n}-${'abcdefghij'.repeat(n % 7)}`;
}

describe('finds what is wrong in its output', () => {
  it.for([
    ['Found timestamp mismatch in :/data/00000000000000000000.timeindex\n  Index timestamp: 5, log timestamp: 7\n'],
    ['Mismatches in :/data/00000000000000000000.index\n  Index offset: 4, log offset: 5\n'],
    ['Non-consecutive offsets in /data/00000000000000000000.log\n'],
    ['Found 12 invalid bytes at the end of 00000000000000000000.log\n'],
    ['baseOffset: 0 lastOffset: 1 count: 2 isvalid: false\n'],
  ])('%s', ([said]) => {
    expect(complaintsIn(said as string).length).toBeGreaterThan(0);
  });

  it('and nothing in what is right', () => {
    const right = 'baseOffset: 0 lastOffset: 1 count: 2 isvalid: true\n| offset: 0 keySize: -1 payload: an error\n';
    expect(complaintsIn(right)).toEqual([]);
    expect(recordsIn(right)).toEqual([{ offset: 0, payload: 'an error' }]);
    const emptied = 'Found timestamp mismatch in :/data/0.timeindex\n  Index timestamp: 5, log timestamp: -1\n';
    expect(complaintsIn(emptied)).toEqual([]);
    expect(complaintsIn(`${emptied}  Index timestamp: 8, log timestamp: 7\n`)).toHaveLength(1);
  });
});

// kcat.ts and dump-log-segments.ts have said what is missing.
describe.skipIf(!hasKcat || !hasDumpLogSegments)('files of a broker', () => {
  let node: SingleNode;
  const topics = CODECS.flatMap((codec) => [`${codec}-plain`, `${codec}-idempotent`]);

  /** Of the topic's only partition, with these ends. */
  function files(topic: string, ...kinds: string[]): string[] {
    const folder = join(node.folder, `${topic}-0`);
    const names = readdirSync(folder).filter((name) => kinds.some((kind) => name.endsWith(kind)));
    return names.sort().map((name) => join(folder, name));
  }

  beforeAll(async () => {
    const parent = temporaryFolder();
    node = await formatSingleNode(parent, join(parent, 'data'), { 'log.cleaner.backoff.ms': '100' });
    const running = startNode(node.file);
    await clusterServes(node.server, 1);
    const create = ['topic', 'create', ...topics, 'append-time', 'untouched'];
    const config = ['--config', 'segment.bytes=20000', '--config', 'index.interval.bytes=2000'];
    await kvorumOk([...create, '--partitions', '1', ...config, '--server', node.server]);
    await kvorumOk([
      'config',
      'set',
      '--topic',
      'append-time',
      'message.timestamp.type=LogAppendTime',
      '--server',
      node.server,
    ]);
    for (const topic of [...topics, 'append-time']) {
      const codec = topic.split('-')[0] as string;
      const args = CODECS.slice(1).includes(codec) ? ['-z', codec] : [];
      if (topic.endsWith('idempotent')) args.push('-X', 'enable.idempotence=true');
      const lines = Array.from({ length: COUNT }, (_, n) => payload(topic, n)).join('\n');
      await kcatOk(['-P', '-b', node.bootstrap, '-t', topic, '-X', 'batch.num.messages=50', ...args], lines);
    }
    await produceCompacted();
    running.kill('SIGTERM');
    expect(await running.ended(30_000)).toMatchObject({ code: 0 });
  });
  afterAll(cleanUp);

  /** Keys that come again, some with null in the end, until compaction has been over them. */
  async function produceCompacted(): Promise<void> {
    const configs = [
      'cleanup.policy=compact',
      'min.cleanable.dirty.ratio=0.01',
      'segment.bytes=20000',
      'file.delete.delay.ms=10',
    ];
    const config = configs.flatMap((pair) => ['--config', pair]);
    await kvorumOk(['topic', 'create', 'compacted', '--partitions', '1', ...config, '--server', node.server]);
    for (const codec of ['none', 'lz4', 'zstd']) {
      const lines = Array.from({ length: COUNT }, (_, n) => `key-${n % 97}:${n % 7 === 0 ? '' : payload(codec, n)}`);
      const args = ['-K', ':', '-Z', '-z', codec, '-X', 'batch.num.messages=50', '-X', 'enable.idempotence=true'];
      await kcatOk(['-P', '-b', node.bootstrap, '-t', 'compacted', ...args], lines.join('\n'));
    }
    await eventually('the log is compacted', async () => {
      const records = await kvorumOk(['log', 'dump', '--records', '--format', 'json', ...files('compacted', '.log')]);
      return Promise.resolve(records.split('"type":"record"').length < COUNT ? true : undefined);
    });
  }

  it('has several segments, sparse indexes, and snapshots of producers', () => {
    for (const topic of topics) {
      expect(files(topic, '.log').length, topic).toBeGreaterThan(1);
      for (const kind of ['.index', '.timeindex']) {
        const sizes = files(topic, kind).map((path) => statSync(path).size);
        expect(sizes, topic + kind).toHaveLength(files(topic, '.log').length);
        expect(Math.max(...sizes), topic + kind).toBeGreaterThan(0);
      }
      expect(files(topic, '.snapshot').length, topic).toBeGreaterThan(0);
    }
  });

  it.for(CODECS)('every record is where it was produced, %s', async (codec) => {
    for (const topic of topics.filter((name) => name.startsWith(codec))) {
      const said = await dumpLogSegments(files(topic, '.log'), '--print-data-log');
      expect(complaintsIn(said), topic).toEqual([]);
      const expected = Array.from({ length: COUNT }, (_, offset) => ({ offset, payload: payload(topic, offset) }));
      expect(recordsIn(said)).toEqual(expected);
      if (codec !== 'none') expect(said).toContain(`compresscodec: ${codec}`);
    }
  });

  it('indexes are true, to its look at their content and to its checks at start', async () => {
    const all = [...topics, 'append-time', 'untouched'].flatMap((topic) => files(topic, '.index', '.timeindex'));
    expect(all.length).toBeGreaterThan(2 * topics.length);
    const looked = await dumpLogSegments(all);
    expect(complaintsIn(looked)).toEqual([]);
    expect(looked.match(/^timestamp: \d+ offset: \d+$/gm)?.length).toBeGreaterThan(topics.length);
    expect(looked.match(/^offset: \d+ position: \d+$/gm)?.length).toBeGreaterThan(topics.length);
    expect(complaintsIn(await dumpLogSegments(all, '--verify-index-only'))).toEqual([]);
    const sane = await dumpLogSegments(all, '--index-sanity-check');
    expect(complaintsIn(sane)).toEqual([]);
    expect(sane.match(/ passed sanity check/g)?.length).toBeGreaterThan(2 * topics.length);
    expect(sane.match(/ passed sanity check| is empty/g)).toHaveLength(all.length);
  });

  it('snapshots name each producer', async () => {
    const all = topics.flatMap((topic) => files(topic, '.snapshot'));
    const said = await dumpLogSegments(all);
    expect(complaintsIn(said)).toEqual([]);
    const sections = said.split('Dumping ').slice(1);
    expect(sections).toHaveLength(all.length);
    for (const topic of topics) {
      const last = sections.findLast((section) => section.includes(`/${topic}-0/`)) ?? '';
      if (topic.endsWith('plain')) expect(last).not.toContain('producerId');
      else expect(last).toMatch(new RegExp(`producerId: \\d+ producerEpoch: 0 .*lastSequence: ${COUNT - 1}\\b`));
    }
  });

  it('compacted segments have gaps and nothing else that is unusual', async () => {
    const said = await dumpLogSegments(files('compacted', '.log'), '--deep-iteration', '--print-data-log');
    expect(complaintsIn(said)).toEqual([]);
    const records = [...said.matchAll(/^\| offset: (\d+) .* key: (key-\d+)/gm)].map(([, offset, key]) => [
      key,
      Number(offset),
    ]);
    expect(records.length).toBeLessThan(COUNT);
    const latest = new Map(records as [string, number][]);
    for (const [key, offset] of latest) {
      // The last of each key, counted from the end of what was produced.
      const n = Number(key.slice('key-'.length));
      expect(offset, key).toBe(2 * COUNT + n + 97 * Math.floor((COUNT - 1 - n) / 97));
    }
    expect(latest.size).toBe(97);
    const rest = files('compacted', '.index', '.timeindex', '.snapshot');
    expect(complaintsIn(await dumpLogSegments(rest))).toEqual([]);
    expect(complaintsIn(await dumpLogSegments(files('compacted', 'index'), '--verify-index-only'))).toEqual([]);
  });

  it('and kvorum log dump finds as much in them, and nothing wrong', async () => {
    const { code, stdout, stderr } = await kvorum(['log', 'dump', '--check', '--records', node.folder]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.trimEnd().split('\n').length).toBeGreaterThan(8 * topics.length);
    const lines = (
      await kvorumOk(['log', 'dump', '--records', '--format', 'json', ...files('zstd-idempotent', '.log')])
    )
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; offset: number; value: string });
    const records = lines.filter(({ type }) => type === 'record');
    expect(records.map(({ offset, value }) => ({ offset, payload: value }))).toEqual(
      Array.from({ length: COUNT }, (_, offset) => ({ offset, payload: payload('zstd-idempotent', offset) })),
    );
  });
});
