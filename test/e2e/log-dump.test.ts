// `kvorum log dump` as users run it, on files that Kafka wrote: formats, exit codes, and what it says when it is asked wrongly.
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { kvorum, kvorumOk } from './kvorum.ts';
import { cleanUp, run, temporaryFolder } from './processes.ts';

const GOLDEN = join(import.meta.dirname, '../golden/log');
const SEGMENT = join(GOLDEN, 'mixed-0', '00000000000000000185.log');

afterAll(cleanUp);

it('prints a folder, a segment with its records, and verdicts', async () => {
  const folder = await kvorumOk(['log', 'dump', join(GOLDEN, 'mixed-0')]);
  for (const part of ['.log: segment', 'timeIndex', 'producerId 5001', 'epoch 3  startOffset 185', 'append-time']) {
    expect(folder).toContain(part);
  }
  expect(await kvorumOk(['log', 'dump', '--records', SEGMENT])).toMatch(/ 215 .* COMMIT {2}coordinatorEpoch 7\n/);
  const verdicts = await kvorumOk(['log', 'dump', '--check', '--records', join(GOLDEN, 'compacted-1')]);
  expect(
    verdicts
      .trimEnd()
      .split('\n')
      .every((line) => line.endsWith(', no problems')),
  ).toBe(true);
});

it('prints json and yaml', async () => {
  const json = await kvorumOk(['log', 'dump', '--format', 'json', '--records', '--decode', 'base64', SEGMENT]);
  const objects = json
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(objects[0]).toMatchObject({ type: 'file', kind: 'segment', sizeInBytes: 1830 });
  expect(objects.at(-1)).toMatchObject({ type: 'summary', count: 13, problems: 0 });
  expect(objects.filter(({ type }) => type === 'record')).toHaveLength(33);
  expect(objects.find(({ offset }) => offset === 185)).toMatchObject({
    key: Buffer.from('key-10-0').toString('base64'),
  });
  const yaml = await kvorumOk(['log', 'dump', '--format', 'yaml', SEGMENT]);
  expect(yaml.split('---\n')).toHaveLength(1 + 1 + 13 + 1);
  expect(yaml).toContain('codec: lz4');
});

it('ends with 1 where something is wrong, and says where', async () => {
  const folder = join(temporaryFolder(), 'mixed-0');
  cpSync(join(GOLDEN, 'mixed-0'), folder, { recursive: true });
  const path = join(folder, '00000000000000000185.log');
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(400) ^ 1, 400);
  writeFileSync(path, bytes);
  const { code, stdout, stderr } = await kvorum(['log', 'dump', '--check', folder]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^\/.*0185\.log: position 308: offset 191: the content does not match the CRC \d+\n$/);
  expect(stdout).toMatch(/0185\.log: 13 items, 1 problem\n/);
  const asJson = await kvorum(['log', 'dump', '--check', '--format', 'json', folder]);
  expect(asJson).toMatchObject({ code: 1, stderr: '' });
  expect(asJson.stdout).toMatch(/"type":"problem","position":308,/);
  const old = await kvorum(['log', 'dump', join(GOLDEN, 'old-1')]);
  expect(old).toMatchObject({ code: 1, stderr: expect.stringContaining('magic 1, before Kafka 0.11') as string });
});

it('says what it takes when it is asked wrongly', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'notes.txt'), 'nothing');
  for (const [path, says] of [
    [join(folder, 'absent'), 'absent does not exist'],
    [folder, 'is no file of a log, and no folder of such'],
    [join(folder, 'notes.txt'), 'is no file of a log, and no folder of such'],
  ] as const) {
    const { code, stdout, stderr } = await kvorum(['log', 'dump', path]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^kvorum: [^\n]*\n$/);
    expect(stderr).toContain(says);
  }
});

it('ends quietly when its reader has enough', async () => {
  const program = join(import.meta.dirname, '../../dist/cli/kvorum.cjs');
  const line = `'${process.execPath}' '${program}' log dump --records '${join(GOLDEN, 'mixed-0')}' | head -n 1`;
  const { code, stderr } = await run('sh', ['-c', line]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});
