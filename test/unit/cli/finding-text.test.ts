// What `kvorum log dump` finds, as lines and as objects.
import { beforeAll, describe, expect, it } from 'vitest';
import type { BytesText } from '../../../src/cli/finding-text.ts';
import { FindingText, findingObject } from '../../../src/cli/finding-text.ts';
import { plain } from '../../../src/cli/output.ts';
import { loadCodecs } from '../../../src/codec/compression.ts';
import type { Finding } from '../../../src/log/inspect/finding.ts';
import { findings, golden } from '../log/golden-folders.ts';

beforeAll(loadCodecs);

const asText: BytesText = (bytes) => bytes.toString('utf8');
const asHex: BytesText = (bytes) => bytes.toString('hex');

function lines(found: readonly Finding[], wide = false, bytesText = asText): string[] {
  const text = new FindingText(bytesText, false);
  return found.flatMap((finding) => text.of(finding, wide).split('\n'));
}

describe('lines', () => {
  it('have columns for batches, heads first, once for each file', async () => {
    const found = await findings(golden('mixed-0'), false);
    const shown = lines(found);
    expect(shown.filter((line) => line.startsWith('  POSITION'))).toHaveLength(3);
    expect(shown).toContainEqual(
      expect.stringMatching(
        /^ {2}1232 +239 +209\.\.212 +4 +3 +none +2023-11-14T22:13:38\.003Z +5000@0 +0\.\.3 +transactional$/,
      ),
    );
    const heads = shown.find((line) => line.startsWith('  POSITION')) ?? '';
    const row = shown.find((line) => line.includes('209..212')) ?? '';
    expect(row.indexOf('none')).toBe(heads.indexOf('CODEC'));
    expect(row.indexOf('5000@0')).toBe(heads.indexOf('PRODUCER'));
    expect(lines(found, true).find((line) => line.includes('BASE TIMESTAMP'))).toContain('CRC');
  });

  it('have records with keys, values and headers, readable whatever is in them', async () => {
    const found = await findings(golden('mixed-0', '00000000000000000000.log'));
    const shown = lines(found);
    expect(shown).toContainEqual(expect.stringMatching(/^ {4}0 +2023-11-14T22:13:20\.000Z {2}key-0-0 {2}value-0-0-$/));
    expect(shown).toContainEqual(expect.stringMatching(/^ {4}2 .* empty=null {2}""=""$/));
    expect(lines(found, false, asHex)).toContainEqual(
      expect.stringMatching(/^ {4}0 .*6b65792d302d30 {2}76616c75652d302d302d$/),
    );
    expect(shown.filter((line) => /\p{Cc}/u.test(line))).toEqual([]);
  });

  it('have control records by what they say', async () => {
    const shown = lines(await findings(golden('mixed-0', '00000000000000000185.log')));
    expect(shown).toContainEqual(expect.stringMatching(/^ {4}215 .* COMMIT {2}coordinatorEpoch 7$/));
    expect(shown).toContainEqual(expect.stringMatching(/^ {4}216 .* ABORT {2}coordinatorEpoch 7$/));
    const quorum = lines(await findings(golden('control-0')));
    expect(quorum).toContainEqual(expect.stringMatching(/LEADER_CHANGE {2}leaderId 2 {2}voters 1,2$/));
  });

  it('have producers, properties and checkpoints', async () => {
    expect(lines(await findings(golden('mixed-0', '00000000000000000298.snapshot')))).toContainEqual(
      expect.stringMatching(
        /^ {2}producerId 5001 {2}epoch 2 .* currentTxnFirstOffset 217 {2}batches 2\.\.2@217\.\.217$/,
      ),
    );
    expect(lines(await findings(golden('meta.properties')))).toContain('  node.id = 3');
    expect(lines(await findings(golden('log-start-offset-checkpoint')))).toContain('  mixed-0  offset 298');
  });

  it('have problems with file and position, and a verdict at the end', async () => {
    const path = golden('old-0', '00000000000000000000.log');
    const found = await findings(path);
    expect(lines(found)).toContainEqual(expect.stringMatching(/^\/.*\.log: position 0: message format v0/));
    const verdict = new FindingText(asText, true).of(found.at(-1) as Finding, false);
    expect(verdict).toBe(`${path}: no items, 1 problem`);
  });
});

describe('objects', () => {
  it('have keys, values and headers as text, null as null', async () => {
    const found = await findings(golden('mixed-0', '00000000000000000000.log'));
    const records = found.filter(({ type }) => type === 'record').map((it) => plain(findingObject(it, asHex)));
    expect(records[0]).toMatchObject({ type: 'record', offset: 0, key: '6b65792d302d30', headers: [] });
    expect(records[1]).toMatchObject({ offset: 1, key: null });
    expect(records[2]).toMatchObject({
      headers: [
        ['h2', '0200ff'],
        ['empty', null],
        ['', ''],
      ],
    });
  });

  it('have every field of a batch', async () => {
    const [, batch] = await findings(golden('compacted-1', '00000000000000000091.log'));
    expect(plain(findingObject(batch as Finding, asText))).toMatchObject({
      type: 'batch',
      position: 0,
      sizeInBytes: 151,
      baseOffset: 91,
      lastOffset: 94,
      recordsCount: 4,
      leaderEpoch: 2,
      magic: 2,
      isCrcValid: true,
      codec: 'none',
      timestampType: 'CreateTime',
      maxTimestamp: 1_700_000_052_003,
      producerId: -1,
      isTransactional: false,
      isControl: false,
    });
  });
});
