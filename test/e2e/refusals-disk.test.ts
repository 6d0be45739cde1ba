// Folders that are not what they were when the process ended: wiped, damaged, older, of another version. The node says what is
// wrong and what to do, and exits with 1. And the last resort, from the same folders.
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterServes, kvorum, kvorumOk, startNode } from './kvorum.ts';
import { cleanUp, freePorts, temporaryFolder } from './processes.ts';

/** One process that is the whole cluster. */
const only = { file: '', folder: '', saved: '', records: '', server: '', clusterId: '' };

beforeAll(async () => {
  const parent = temporaryFolder();
  const [kafka, controller, grpc] = (await freePorts(3)) as [number, number, number];
  Object.assign(only, {
    file: join(parent, 'only.properties'),
    folder: join(parent, 'only'),
    saved: join(parent, 'saved'),
    records: join(parent, 'records'),
    server: `127.0.0.1:${grpc}`,
    clusterId: (await kvorumOk(['random-id'])).trim(),
  });
  const keys = {
    'process.roles': 'controller,broker',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    listeners: `PLAINTEXT://127.0.0.1:${kafka},CONTROLLER://127.0.0.1:${controller},GRPC://127.0.0.1:${grpc}`,
    'log.dirs': only.folder,
    'timing.profile': 'dev',
    'quorum.record.dir': only.records,
  };
  const lines = Object.entries(keys).map(([key, value]) => `${key}=${value}\n`);
  writeFileSync(only.file, lines.join(''));
  await kvorumOk(['format', '--cluster-id', only.clusterId, '--config', only.file]);
  const node = startNode(only.file);
  await clusterServes(only.server, 1);
  for (const topic of ['a', 'b', 'c', 'd']) await kvorumOk(['topic', 'create', topic, '--server', only.server]);
  node.kill('SIGTERM');
  expect(await node.ended(15_000)).toMatchObject({ code: 0 });
  cpSync(only.folder, only.saved, { recursive: true });
}, 60_000);
afterAll(cleanUp);

/** The folder as the clean stop left it, but for what `damage` does to it. */
function damaged(damage: () => void): void {
  rmSync(only.folder, { recursive: true, force: true });
  cpSync(only.saved, only.folder, { recursive: true });
  damage();
}

const inFolder = (...names: string[]): string => join(only.folder, ...names);

async function refused(): Promise<string> {
  const { code, stdout, stderr } = await startNode(only.file).ended(20_000);
  expect({ code, stdout }, stderr).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^kvorum: [^\n]*\n$/);
  expect(stderr).toContain(only.folder);
  return stderr;
}

const WAY_OUT =
  /Remove meta\.properties, durable-end, metadata and snapshots from .* and format it again \('kvorum format'\)/;

/** The write-ahead log of the database: what was synced last. */
function newestLog(): string {
  const [name] = readdirSync(inFolder('metadata'))
    .filter((file) => file.endsWith('.log') && statSync(inFolder('metadata', file)).size > 0)
    .sort()
    .reverse();
  return inFolder('metadata', name ?? '');
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  const position = at < 0 ? bytes.length + at : at;
  bytes[position] = (bytes[position] as number) ^ 0x40;
  writeFileSync(path, bytes);
}

describe('a controller does not start', () => {
  it('on a wiped database, under the same identity', async () => {
    damaged(() => rmSync(inFolder('metadata'), { recursive: true }));
    const said = await refused();
    expect(said).toMatch(
      /the metadata log is empty, though it was durable up to offset \d+ once: the database was wiped/,
    );
    expect(said).toMatch(WAY_OUT);
  });

  it('with a flipped byte in what was synced last', async () => {
    damaged(() => flip(newestLog(), -3));
    const said = await refused();
    expect(said).toMatch(
      /ends at offset \d+, though it was durable up to offset \d+ once: it lost records that were synced/,
    );
    expect(said).toMatch(WAY_OUT);
  });

  it('with a flipped byte in the middle of the log', async () => {
    damaged(() => flip(newestLog(), Math.floor(statSync(newestLog()).size / 2)));
    expect(await refused()).toMatch(WAY_OUT);
  });

  it('with a file of the database missing', async () => {
    damaged(() => rmSync(newestLog()));
    expect(await refused()).toMatch(WAY_OUT);
  });

  it('without its durable-end note, or with a damaged one', async () => {
    damaged(() => rmSync(inFolder('durable-end')));
    expect(await refused()).toMatch(
      /durable-end is missing: this directory was wiped, or formatted by another version/,
    );
    damaged(() => {
      flip(inFolder('durable-end'), 20);
      flip(inFolder('durable-end'), 4096 + 20);
    });
    expect(await refused()).toMatch(/durable-end is damaged\. Remove/);
  });

  it('with the database of another time', async () => {
    // A copy of the folder's database from before the last topic was made.
    damaged(() => {});
    const node = startNode(only.file);
    await clusterServes(only.server, 1);
    await kvorumOk(['topic', 'create', 'e', '--server', only.server]);
    node.kill('SIGTERM');
    await node.ended(15_000);
    rmSync(inFolder('metadata'), { recursive: true });
    cpSync(join(only.saved, 'metadata'), inFolder('metadata'), { recursive: true });
    expect(await refused()).toMatch(
      /though it was durable up to offset \d+ once: it lost records that were synced, or an older copy/,
    );
  });

  it('and starts when everything is there again, and after being formatted anew', async () => {
    damaged(() => {});
    const whole = startNode(only.file);
    expect((await clusterServes(only.server, 1)).controllerId).toBe(1);
    whole.kill('SIGTERM');
    await whole.ended(15_000);
    for (const name of ['meta.properties', 'durable-end', 'metadata', 'snapshots']) {
      rmSync(inFolder(name), { recursive: true });
    }
    await kvorumOk(['format', '--cluster-id', only.clusterId, '--config', only.file]);
    expect(existsSync(inFolder('durable-end'))).toBe(true);
  });
});

describe('the last resort', () => {
  it('is told in full, does nothing without --yes, and then the survivor goes on', async () => {
    damaged(() => flip(newestLog(), -3));
    const config = ['--config', only.file];
    const told = await kvorumOk(['quorum', 'recover', ...config]);
    expect(told).toMatch(/lost {14}the metadata log ends at offset \d+, though it was durable up to offset \d+ once/);
    expect(told).toContain('This disk itself had more than it has now');
    expect(told).toMatch(/Nothing was changed\. .*--yes/);
    await refused();
    expect(await kvorumOk(['quorum', 'recover', '--yes', ...config])).toContain('Done: node 1 is the only voter');
    expect(await kvorumOk(['quorum', 'recover', '--yes', ...config])).toContain('carried out before');
    const node = startNode(only.file);
    await clusterServes(only.server, 1);
    expect(await kvorum(['quorum', 'recover', ...config])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/another process uses it: stop that one/),
    });
    const topics = await kvorumOk(['topic', 'list', '--server', only.server]);
    expect(topics).toContain('a');
    node.kill('SIGTERM');
    await node.ended(15_000);
    expect(await kvorumOk(['quorum', 'recover', ...config])).toContain('there is nothing to recover. Start it.');
  });

  it('is refused where it makes no sense', async () => {
    damaged(() => renameSync(inFolder('metadata'), inFolder('elsewhere')));
    const config = ['--config', only.file, '--yes'];
    expect(await kvorum(['quorum', 'recover', ...config])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^kvorum: .*there is no metadata log in .*: nothing can be recovered from it/),
    });
    damaged(() => rmSync(inFolder('meta.properties')));
    expect(await kvorum(['quorum', 'recover', ...config])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^kvorum: .* is not formatted/),
    });
  });
});

it('what the node recorded is replayed: every step as it was, nothing violated', async () => {
  const files = readdirSync(only.records).map((name) => join(only.records, name));
  expect(files.length).toBeGreaterThan(2);
  const [first] = files.sort() as [string];
  const said = await kvorumOk(['quorum', 'replay', first]);
  expect(said).toMatch(/node 1 from .*, \d+ steps/);
  expect(said).toContain('Every step was answered as recorded');
  expect(await kvorumOk(['quorum', 'replay', '--trace', first])).toMatch(/-> \{"type":"append"/);
  const lines = readFileSync(first, 'utf8').split('\n');
  const other = join(only.records, 'other.ndjson');
  const drawn = lines.findIndex((line) => line.includes('"type":"propose"'));
  writeFileSync(other, lines.toSpliced(drawn, 1).join('\n'));
  expect(await kvorum(['quorum', 'replay', other])).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/the core answers with other effects than recorded/),
  });
  expect(await kvorum(['quorum', 'replay', only.file])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/only\.properties:1: it is not JSON/),
  });
  expect(await kvorum(['quorum', 'replay', join(only.records, 'none')])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/the recording cannot be read/),
  });
}, 60_000);
