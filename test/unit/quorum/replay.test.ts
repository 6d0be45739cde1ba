// Recordings of real drivers over simulated disks, with kills, power cuts and cut cables, run again: every step is answered as
// recorded, all checkers agree; what was tampered with is found, and so is what breaks a property.
import { expect, test } from 'vitest';
import type { Env } from '../../../src/env/env.ts';
import { CoreRecorder } from '../../../src/quorum/recorder.ts';
import { RecordedLife, RecordingError } from '../../../src/sim/recorded/recorded-life.ts';
import { replay } from '../../../src/sim/recorded/replay.ts';
import { World } from '../../../src/sim/world/world.ts';
import { startReplica } from './replica.ts';

const IDS = [1, 2, 3];

/** Lines by file name, the files in order of their creation. */
type Recordings = ReadonlyMap<string, readonly string[]>;

async function recorded(env: Env, id: number) {
  return {
    trace: await CoreRecorder.open(env, '/records', id, 1 << 24),
    snapshots: { maxBytes: 1000, maxIntervalMs: 0 },
  };
}

async function recordingsOf(world: World, ids: readonly number[] = IDS): Promise<Recordings> {
  const recordings = new Map<string, readonly string[]>();
  for (const id of ids) {
    const { disk } = world.process(`c${id}`);
    const names = await world.run(`c${id}`, 1000, async (env) =>
      (await env.disk.exists('/records')) ? env.disk.list('/records') : [],
    );
    for (const { name } of names) {
      const lines = disk.contentOf(`/records/${name}`).toString().split('\n');
      // After a power cut there may be nothing in it.
      if (![0, 1].every((at) => /^\{[^\0]+\}$/.test(lines[at] ?? ''))) continue;
      recordings.set(name, lines.at(-1) === '' ? lines.slice(0, -1) : lines);
    }
    world.process(`c${id}`).kill();
  }
  return recordings;
}

/** A cluster under appends, of which every now and then something dies or is cut off. */
async function storm(seed: number, ms: number, cuts = true): Promise<World> {
  const world = new World({ seed });
  const nodes = IDS.map((id) => startReplica(world, id, (env) => recorded(env, id)));
  const draw = (bound: number): number => world.random.below('storm', bound);
  for (let at = 0, record = 0; at < ms; at += 25) {
    await world.runFor(25);
    const leader = nodes.find(({ life }) => life?.claimed !== undefined)?.life;
    if (leader?.claimed !== undefined) leader.quorum.append(leader.claimed, [Buffer.from(`record ${record++}`)]);
    if (leader?.claimed !== undefined && draw(80) === 0) leader.quorum.resign(leader.claimed);
    const id = 1 + draw(3);
    const process = world.process(`c${id}`);
    if (!process.isAlive) {
      if (draw(8) === 0) nodes[id - 1] = startReplica(world, id, (env) => recorded(env, id));
    } else if (draw(60) === 0) {
      if (!cuts || draw(2) === 0) process.kill();
      else process.powerCut();
      nodes[id - 1] = { life: undefined };
    }
  }
  for (const id of IDS) world.process(`c${id}`).kill();
  return world;
}

async function* asyncLines(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines;
}

interface Verdict {
  readonly steps: number;
  readonly problem: string | undefined;
  readonly remarks: readonly string[];
  readonly seen: ReadonlySet<string>;
}

async function replayed(recordings: Recordings): Promise<Verdict> {
  const lives = await Promise.all([...recordings].map(([name, lines]) => RecordedLife.open(name, asyncLines(lines))));
  const seen = new Set<string>();
  const { steps, problem, remarks } = await replay(lives, ({ effects }) => {
    for (const effect of effects) seen.add(effect.type);
  });
  const total = [...steps.values()].reduce((sum, count) => sum + count, 0);
  return { steps: total, problem, remarks, seen };
}

const WANTED = ['append', 'truncate', 'catalogue', 'loadSnapshot', 'commit', 'claim', 'renounce', 'serveSnapshot'];

test('every step is answered as recorded, and no checker objects', async () => {
  const seen = new Set<string>();
  let files = 0;
  // As many as it takes to see all of a core's life.
  for (let seed = 1; seed <= 3 || (seed <= 20 && WANTED.some((type) => !seen.has(type))); seed++) {
    const cuts = seed % 3 === 0;
    const recordings = await recordingsOf(await storm(seed, 4000, cuts));
    files += recordings.size;
    const { steps, problem, remarks, seen: types } = await replayed(recordings);
    expect(problem).toBeUndefined();
    if (!cuts) expect(remarks).toEqual([]);
    expect(steps).toBeGreaterThan(300);
    for (const type of types) seen.add(type);
  }
  expect(files).toBeGreaterThan(9);
  for (const type of WANTED) expect(seen, type).toContain(type);
});

test('one node alone is judged by what it did itself', async () => {
  const all = await recordingsOf(await storm(5, 3000));
  const some = new Map([...all].filter(([name]) => name.startsWith('quorum-2-')));
  expect(await replayed(some)).toMatchObject({
    problem: undefined,
    remarks: expect.arrayContaining([expect.stringMatching(/no recording of the voters 1, 3/)]),
  });
});

test('a recording that begins late, or lacks a life in the middle, is judged from where it begins', async () => {
  const all = await recordingsOf(await storm(6, 8000, false));
  const perNode = IDS.map((id) => [...all].filter(([name]) => name.startsWith(`quorum-${id}-`)));
  const most = perNode.toSorted((a, b) => b.length - a.length)[0] ?? [];
  expect(most.length).toBeGreaterThan(2);
  const late = new Map(perNode.flatMap((files) => files.slice(-1)));
  expect((await replayed(late)).problem).toBeUndefined();
  const gap = new Map([...all].filter(([name]) => name !== most[1]?.[0]));
  expect((await replayed(gap)).problem).toBeUndefined();
});

test('another draw, another event, a lost line are found where they are', async () => {
  const all = await recordingsOf(await storm(7, 2000));
  const isProposal = (line: string): boolean => line.startsWith('{"event":{"type":"propose"');
  const [name, lines] = [...all].find(([, each]) => each.some(isProposal)) as [string, readonly string[]];
  const changed = async (at: number, change: (line: string) => string[]): Promise<string | undefined> => {
    const tampered = [...lines.slice(0, at), ...change(lines[at] as string), ...lines.slice(at + 1)];
    return (await replayed(new Map([[name, tampered]]))).problem;
  };
  const drawn = lines.findIndex((line) => line.includes('"draws":[["'));
  expect(await changed(drawn, (line) => [line.replace(/(\[\["\w+",\d+,)\d+/, '$10')])).toMatch(
    new RegExp(`:${drawn + 1}: the core answers with other effects than recorded`),
  );
  expect(await changed(drawn, (line) => [line.replace(/"draws":\[\[.*?\]\]/, '"draws":[]')])).toMatch(
    /the core draws \w+ below \d+, recorded is none/,
  );
  const proposal = lines.findIndex(isProposal);
  expect(await changed(proposal, () => [])).toMatch(/answers with other effects/);
});

test('a violation is found: two clusters of one voter each are no quorum', async () => {
  const world = new World({ seed: 9 });
  const nodes = [1, 2].map((id) =>
    startReplica(world, id, async (env) => ({ ...(await recorded(env, id)), voters: [id] })),
  );
  await world.runUntil(() => nodes.every(({ life }) => life?.claimed !== undefined), 10_000, 'both lead');
  for (const id of [1, 2]) world.process(`c${id}`).kill();
  const { problem } = await replayed(await recordingsOf(world, [1, 2]));
  expect(problem).toMatch(/quorum-2-.*violates S-R1: two nodes lead epoch 1/);
});

test('a line damaged by a power cut ends the recording; other nonsense is refused with its place', async () => {
  const all = await recordingsOf(await storm(8, 600));
  const [name, lines] = [...all][0] as [string, readonly string[]];
  const torn = [...lines.slice(0, 8), (lines[8] as string).slice(0, 30)];
  expect(await replayed(new Map([[name, torn]]))).toMatchObject({
    steps: 7,
    problem: undefined,
    remarks: expect.arrayContaining([expect.stringMatching(/ends early: line 9 is damaged/)]),
  });
  const open = (text: readonly string[]) => RecordedLife.open('file', asyncLines(text));
  await expect(open(['{}', ''])).rejects.toThrow(new RecordingError('file:1: it is no recording; leave this file out'));
  await expect(open([lines[0] as string, lines[2] as string])).rejects.toThrow(/file:2: the first event is/);
});
