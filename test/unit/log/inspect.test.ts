// Looking into files: those of Kafka as Kafka reads them, ours after a clean stop, and damage of every kind, each found where
// it is.
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadCodecs } from '../../../src/codec/compression.ts';
import type { BatchFinding, Finding, RecordFinding } from '../../../src/log/inspect/finding.ts';
import { inspect } from '../../../src/log/inspect/inspect.ts';
import { createDisk } from '../../../src/node/disk.ts';
import { batch, tempFolder } from './fixture.ts';
import type { GoldenBatch } from './golden-folders.ts';
import { findings, golden, goldenBatches, goldenCopy, ofType, problemsIn } from './golden-folders.ts';

beforeAll(loadCodecs);

const FIRST = '00000000000000000000';

/** What was found, as Kafka describes it. */
function asGolden(found: readonly Finding[]): Omit<GoldenBatch, 'segment'>[] {
  const batches: (Omit<GoldenBatch, 'segment' | 'records'> & { records: GoldenBatch['records'][number][] })[] = [];
  for (const finding of found) {
    if (finding.type === 'batch') batches.push({ ...fieldsOf(finding), records: [] });
    if (finding.type === 'record') batches.at(-1)?.records.push(recordOf(finding));
  }
  return batches;
}

function fieldsOf(finding: BatchFinding): Omit<GoldenBatch, 'segment' | 'records'> {
  const { type: _, magic, isCrcValid, baseTimestamp: __, ...fields } = finding;
  expect([magic, isCrcValid]).toEqual([2, true]);
  return fields;
}

function recordOf({ offset, timestamp, key, value, headers }: RecordFinding): GoldenBatch['records'][number] {
  const hex = (bytes: Buffer | null): string | null => bytes?.toString('hex') ?? null;
  return { offset, timestamp, key: hex(key), value: hex(value), headers: headers.map((it) => [it.key, hex(it.value)]) };
}

describe('folders by Kafka', () => {
  test.for([
    ['mixed-0', 'mixed'],
    ['mixed-unclean-0', 'mixed'],
    ['compacted-1', 'compacted'],
  ] as const)('%s is read as Kafka reads it, and nothing is wrong', async ([folder, name]) => {
    const found = await findings(golden(folder));
    expect(problemsIn(found)).toEqual([]);
    const expected = goldenBatches(name).map(({ segment: _, ...fields }) => fields);
    expect(asGolden(found)).toEqual(expected);
    expect(ofType(found, 'offsetIndexEntry').length).toBeGreaterThan(0);
    expect(ofType(found, 'timeIndexEntry').length).toBeGreaterThan(2);
  });

  test('producers, leader epochs and aborted transactions', async () => {
    const found = await findings(golden('mixed-0'));
    expect(ofType(found, 'producer').slice(-3)).toMatchObject([
      { producerId: 4242, epoch: 2, currentTxnFirstOffset: -1, batches: [{ firstSequence: 20, lastSequence: 39 }] },
      { producerId: 5000, epoch: 0, coordinatorEpoch: 7, batches: [{ firstOffset: 209, lastOffset: 212 }] },
      { producerId: 5001, epoch: 2, currentTxnFirstOffset: 217 },
    ]);
    expect(ofType(found, 'leaderEpoch').map(({ epoch, startOffset }) => [epoch, startOffset])).toEqual([
      [0, 0],
      [3, 185],
      [5, 217],
    ]);
    expect(ofType(found, 'abortedTransaction')).toMatchObject([
      { producerId: 5001, firstOffset: 213, lastOffset: 216, lastStableOffset: 217 },
    ]);
    const ended = ofType(found, 'record').flatMap(({ control }) => (control === undefined ? [] : [control]));
    expect(ended).toEqual([
      { type: 'COMMIT', coordinatorEpoch: 7 },
      { type: 'ABORT', coordinatorEpoch: 7 },
    ]);
  });

  test('control records of a quorum', async () => {
    const found = await findings(golden('control-0'));
    expect(ofType(found, 'record').map(({ control }) => control)).toEqual([
      { type: 'LEADER_CHANGE', leaderId: 2, voters: [1, 2] },
      { type: 'KRAFT_VERSION', kraftVersion: 1 },
      { type: 'SNAPSHOT_HEADER' },
    ]);
    expect(problemsIn(found)).toEqual([]);
  });

  test.for([
    [0, 5],
    [1, 1],
  ] as const)('the message format of magic %i is named', async ([magic, messages]) => {
    const found = await findings(golden(`old-${magic}`));
    expect(problemsIn(found)).toEqual([
      `0: message format v${magic} (magic ${magic}, before Kafka 0.11) is not supported: only v2 is`,
    ]);
    const notes = ofType(found, 'note').map(({ text }) => text);
    expect(notes).toEqual(messages > 1 ? [`${messages} messages of an old format were passed over`] : []);
  });

  test('the files of a log directory', async () => {
    const found = await findings(golden('meta.properties'));
    expect(ofType(found, 'property').map(({ key, value }) => `${key}=${value}`)).toContain('node.id=3');
    for (const name of ['recovery-point', 'replication', 'log-start']) {
      const offsets = ofType(await findings(golden(`${name}-offset-checkpoint`)), 'checkpoint');
      expect(offsets).toMatchObject([
        { topic: 'mixed', partition: 0, offset: 298 },
        { topic: 'compacted', partition: 1, offset: 125 },
      ]);
    }
    const all = await findings(golden());
    expect(ofType(all, 'file').map(({ kind }) => kind)).toEqual(
      expect.arrayContaining([
        'metaProperties',
        'offsetCheckpoint',
        'partitionMetadata',
        'segment',
        'transactionIndex',
      ]),
    );
  });
});

/** A copy of `mixed-0`, with one file changed, and what is found in the folder then. */
async function damaged(name: string, damage: (bytes: Buffer) => Buffer | void): Promise<string[]> {
  const folder = await goldenCopy('mixed-0');
  const path = join(folder, name);
  const bytes = readFileSync(path);
  writeFileSync(path, damage(bytes) ?? bytes);
  const found = await findings(folder);
  const elsewhere = ofType(found, 'problem').filter((it) => it.path !== path && it.path.endsWith('.log'));
  expect(elsewhere).toEqual([]);
  return found.flatMap((it) => (it.type === 'problem' && it.path === path ? [`${it.position}: ${it.problem}`] : []));
}

describe('finds in a segment', () => {
  const log = `${FIRST}.log`;

  test('content that does not match its CRC, and goes on behind it', async () => {
    expect(await damaged(log, (bytes) => void bytes.writeUInt8(0x55, 400))).toEqual([
      expect.stringMatching(/^327: offset 7: the content does not match the CRC \d+$/),
    ]);
  });

  test('lengths and magic that make no sense, up to the next intact batch', async () => {
    expect(await damaged(log, (bytes) => void bytes.writeInt32BE(3, 327 + 8))).toEqual([
      '327: batch length 3 is too small; 1183 bytes are of no intact batch',
    ]);
    expect(await damaged(log, (bytes) => void bytes.writeInt32BE(1 << 30, 327 + 8))).toEqual([
      `327: batch length ${1 << 30} is too large; 1183 bytes are of no intact batch`,
    ]);
    expect(await damaged(log, (bytes) => void bytes.writeInt8(9, 327 + 16))).toEqual([
      '327: magic 9 instead of 2; 1183 bytes are of no intact batch',
    ]);
    expect(await damaged(log, (bytes) => void bytes.writeInt32BE(100_000, 327 + 8))).toEqual([
      '327: the file ends in the middle of a batch: 4238 of 100012 bytes; 1183 bytes are of no intact batch',
    ]);
  });

  test('a torn end', async () => {
    expect(await damaged(log, (bytes) => bytes.subarray(0, 4100))).toEqual([
      '4087: the file ends in the middle of a batch header; 13 bytes are of no intact batch',
    ]);
    expect(await damaged(log, (bytes) => bytes.subarray(0, 4200))).toEqual([
      '4087: the file ends in the middle of a batch: 113 of 478 bytes; 113 bytes are of no intact batch',
    ]);
  });

  test('offsets and epochs that go back', async () => {
    expect(await damaged(log, (bytes) => void bytes.writeBigInt64BE(3n, 327))).toEqual([
      '327: offset 3 where 7 is the least that may follow',
    ]);
    expect(await damaged(log, (bytes) => void bytes.writeInt32BE(2, 12))).toContain('327: leader epoch 0 after 2');
  });

  test('that it reaches into the next one', async () => {
    const folder = await goldenCopy('mixed-0');
    const path = join(folder, log);
    const bytes = readFileSync(path);
    bytes.writeBigInt64BE(500n, 4087);
    writeFileSync(path, bytes);
    expect(problemsIn(await findings(folder))).toContain(
      "0: the segment before goes up to offset 529, beyond this one's base",
    );
  });

  test('nothing, of segments that are named in another order than theirs', async () => {
    const folder = await goldenCopy('mixed-0');
    const segments = readdirSync(folder).filter((name) => name.endsWith('.log'));
    expect(segments.length).toBeGreaterThan(1);
    const paths = segments.toReversed().map((name) => join(folder, name));
    const problems: string[] = [];
    for await (const finding of inspect(createDisk(), paths, { records: false })) {
      if (finding.type === 'problem') problems.push(finding.problem);
    }
    expect(problems).toEqual([]);
  });

  test('zeros at its end, which are no problem', async () => {
    const folder = await goldenCopy('mixed-0');
    const path = join(folder, log);
    writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(700_000)]));
    const found = await findings(path);
    expect(problemsIn(found)).toEqual([]);
    expect(ofType(found, 'note').map(({ text }) => text)).toEqual([
      'zeros from position 4565 to the end, 700000 bytes: reserved ahead of use',
    ]);
  });

  test('records that are not what the header says', async () => {
    const folder = await tempFolder();
    const path = join(folder, log);
    const bytes = batch({ count: 3 });
    bytes.writeInt32BE(4, 57);
    writeFileSync(path, bytes);
    expect(problemsIn(await findings(path, false))).toContain('0: 4 records for offsets 0 to 2');
  });
});

describe('finds in an index', () => {
  test('entries that lead nowhere, and where a batch ends elsewhere', async () => {
    const name = `${FIRST}.index`;
    expect(await damaged(name, (bytes) => void bytes.writeInt32BE(2173, 12))).toEqual([
      '8: no batch of the segment starts at position 2173',
    ]);
    expect(await damaged(name, (bytes) => void bytes.writeInt32BE(81, 8))).toEqual([
      '8: the batch at position 2172 ends at offset 80, not 81',
    ]);
    expect(await damaged(name, (bytes) => void bytes.writeInt32BE(9_000_000, 28))).toEqual([
      '24: no batch of the segment starts at position 9000000',
    ]);
  });

  test('entries out of order, zeros between them, bytes of no entry', async () => {
    const name = `${FIRST}.index`;
    expect(await damaged(name, (bytes) => void bytes.writeInt32BE(1, 8))).toEqual([
      '8: entry 1 at 2172 after 43 at 1510',
    ]);
    expect(await damaged(name, (bytes) => void bytes.fill(0, 8, 16))).toEqual([
      '8: zeros up to position 16, and entries after them',
    ]);
    expect(await damaged(name, (bytes) => bytes.subarray(0, 27))).toEqual(['24: 3 bytes at the end are no entry of 8']);
  });

  test('times that no batch has, or that an earlier one exceeds', async () => {
    const name = `${FIRST}.timeindex`;
    expect(await damaged(name, (bytes) => void bytes.writeInt32BE(44, 8))).toEqual([
      '0: no batch of the segment ends at offset 44',
    ]);
    expect(await damaged(name, (bytes) => void bytes.writeBigInt64BE(1_700_000_002_007n, 0))).toEqual([
      '0: the batch that ends at 43 has timestamp 1700000002006, not 1700000002007',
    ]);
    const folder = await tempFolder();
    const late = Buffer.concat([batch({ timestamp: 900 }), batch({ timestamp: 500, baseOffset: 1 })]);
    writeFileSync(join(folder, `${FIRST}.log`), late);
    const entry = Buffer.alloc(12);
    entry.writeBigInt64BE(500n);
    entry.writeInt32BE(1, 8);
    writeFileSync(join(folder, name), entry);
    expect(problemsIn(await findings(folder))).toEqual(['0: a batch before offset 1 has a later timestamp, 900']);
  });

  test('that there is no segment beside it', async () => {
    const folder = await tempFolder();
    writeFileSync(join(folder, `${FIRST}.index`), readFileSync(golden('mixed-0', `${FIRST}.index`)));
    const found = await findings(folder);
    expect(problemsIn(found)).toEqual([]);
    expect(ofType(found, 'note')[0]?.text).toMatch(/\.log is not there: entries are not compared with it$/);
  });
});

describe('finds in other files', () => {
  test('a snapshot with another CRC, cut short, or of another offset', async () => {
    const name = '00000000000000000298.snapshot';
    expect(await damaged(name, (bytes) => void bytes.writeUInt8(9, 30))).toEqual([
      expect.stringMatching(/^0: its CRC is \d+, and it says \d+$/),
    ]);
    expect(await damaged(name, (bytes) => bytes.subarray(0, 5))).toHaveLength(1);
    expect(await damaged(name, (bytes) => void bytes.writeInt16BE(7, 0))).toEqual([
      '0: version 7 is not known, only 1',
    ]);
  });

  test('lines of a checkpoint', async () => {
    const name = 'leader-epoch-checkpoint';
    const text = (content: string) => damaged(name, () => Buffer.from(content));
    expect(await text('0\n2\n0 0\n3 185\n')).toEqual([]);
    expect(await text('1\n0\n')).toEqual(["1: version '1' instead of 0"]);
    expect(await text('0\n3\n0 0\n3 185\n')).toEqual(["2: count '3', and 2 lines follow"]);
    expect(await text('0\n2\n0 0\nx\u0007 185\n')).toEqual(["4: 'x? 185' is no 'epoch startOffset'"]);
    expect(await text('0\n2\n3 185\n2 190\n')).toEqual(['4: epoch 2 from 190 on after epoch 3 from 185 on']);
    expect(await text('0\n1\n0 0')).toEqual(['3: the last line has no end']);
    expect(await text('')).toHaveLength(1);
  });

  test('partition.metadata and meta.properties', async () => {
    expect(await damaged('partition.metadata', () => Buffer.from('version: 1\ntopic_id: short\n'))).toEqual([
      "1: version '1' instead of 0",
      '2: topic_id is no id of 22 characters of base64url',
    ]);
    const folder = await tempFolder();
    writeFileSync(join(folder, 'meta.properties'), 'version=1\nnode.id=x\ncluster.id=c\n');
    expect(problemsIn(await findings(folder))).toEqual(["1: node.id is 'x'", '1: directory.id is missing']);
  });
});

test('a file of 256 MiB takes the memory of a few chunks', async () => {
  const folder = await tempFolder();
  const path = join(folder, `${FIRST}.log`);
  writeFileSync(path, batch({ count: 1, bytes: 1000 }));
  truncateSync(path, 256 << 20);
  const before = process.memoryUsage().arrayBuffers;
  const found = await findings(path);
  expect(problemsIn(found)).toEqual([]);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 << 20);
});
