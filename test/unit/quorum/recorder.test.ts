// Recording: everything the core heard and drew is in the file, and no trouble of the disk reaches the node.
import { expect, test } from 'vitest';
import type { Env } from '../../../src/env/env.ts';
import type { CoreTrace } from '../../../src/quorum/core-trace.ts';
import { CoreRecorder, tracesOf } from '../../../src/quorum/recorder.ts';
import { effectsChecksum, parseEnd, parseHeader, parseStep } from '../../../src/quorum/recording.ts';
import type { RaftConfig, RaftEffect, RaftEvent } from '../../../src/raft/types.ts';
import { World } from '../../../src/sim/world/world.ts';
import { uuid } from '../metadata/fixture.ts';

const CONFIG: RaftConfig = {
  clusterId: uuid(9),
  replica: { id: 1, directoryId: uuid(1) },
  voterIds: [1, 2],
  endpoints: new Map([
    [1, 'a:1'],
    [2, 'b:2'],
  ]),
  electionTimeoutMs: 1000,
  fetchTimeoutMs: 2000,
  requestTimeoutMs: 2000,
  retryBackoffMs: 20,
  fetchMaxWaitMs: 500,
  fetchMaxBytes: 1000,
  snapshotChunkBytes: 1000,
};

const PROPOSE: RaftEvent = {
  type: 'propose',
  now: 12.5,
  token: 1,
  claimEpoch: 3,
  records: [Buffer.from([0, 255, 7]), new Uint8Array([1, 2, 3]).subarray(1)],
};
const APPEND: RaftEffect = {
  type: 'append',
  op: 4,
  batches: [{ baseOffset: 0, epoch: 3, control: false, records: PROPOSE.records }],
};

async function recorded(
  maxBytes: number,
  body: (recorder: CoreRecorder, env: Env, world: World) => Promise<void> | void,
): Promise<{ lines: string[]; world: World }> {
  const world = new World({ seed: 1 });
  const { disk } = world.process('node');
  disk.provision('/data');
  const path = await world.run('node', 10_000, async (env) => {
    const recorder = await CoreRecorder.open(env, '/data/records', 1, maxBytes);
    recorder.config(CONFIG);
    const its = recorder.path ?? '';
    await body(recorder, env, world);
    await recorder.close();
    return its;
  });
  expect(path).toMatch(/^\/data\/records\/quorum-1-\d+\.ndjson$/);
  const text = disk.contentOf(path).toString();
  return { lines: text.split('\n').slice(0, -1), world };
}

function stepOnce(trace: CoreTrace, effects: readonly RaftEffect[] = [APPEND]): void {
  trace.event(PROPOSE);
  trace.draw('election', 1000, 17);
  trace.effects(effects);
}

test('a header with the configuration, then event, draws and a checksum of the effects in each line', async () => {
  const { lines } = await recorded(100_000, (recorder) => {
    stepOnce(recorder);
    recorder.event({ type: 'diskDone', now: 13, op: 4 });
    recorder.effects([]);
  });
  expect(lines).toHaveLength(3);
  expect(parseHeader(lines[0] as string)).toMatchObject({ nodeId: 1, config: CONFIG });
  const step = parseStep(lines[1] as string);
  expect(step.draws).toEqual([['election', 1000, 17]]);
  expect(step.checksum).toBe(effectsChecksum([APPEND]));
  expect(step.checksum).not.toBe(effectsChecksum([{ ...APPEND, op: 5 }]));
  expect(step.event).toEqual({ ...PROPOSE, records: [Buffer.from([0, 255, 7]), Buffer.from([2, 3])] });
  expect(parseStep(lines[2] as string)).toEqual({
    event: { type: 'diskDone', now: 13, op: 4 },
    draws: [],
    checksum: effectsChecksum([]),
  });
});

test('a second incarnation in the same millisecond has a file of its own', async () => {
  const world = new World({ seed: 1 });
  const paths = await world.run('node', 10_000, async (env) => {
    const recorders = await Promise.all([1, 2, 3].map(() => CoreRecorder.open(env, '/records', 1, 1000)));
    // Nothing is there before there is something to record.
    expect(await env.disk.list('/records')).toEqual([]);
    for (const recorder of recorders) recorder.config(CONFIG);
    return recorders.map(({ path }) => path);
  });
  expect(new Set(paths).size).toBe(3);
});

test('at the size limit it ends with whole lines and a warning, once', async () => {
  const { lines, world } = await recorded(2000, (recorder) => {
    for (let i = 0; i < 50; i++) stepOnce(recorder);
  });
  expect(lines.length).toBeGreaterThan(3);
  for (const line of lines.slice(1, -1)) expect(parseStep(line).event.type).toBe('propose');
  expect(parseEnd(lines.at(-1) as string)).toBe('quorum.record.max.bytes is reached');
  expect(warnings(world)).toEqual([expect.stringContaining('quorum.record.max.bytes is reached')]);
});

test('a full or failing disk ends the recording, not the node', async () => {
  const full = await recorded(100_000, (recorder, _env, world) => {
    const { disk } = world.process('node');
    disk.settings.capacityBytes = disk.usedBytes + 300;
    for (let i = 0; i < 10; i++) stepOnce(recorder);
  });
  expect(warnings(full.world)).toEqual([expect.stringContaining('the disk is full')]);
  const failing = await recorded(100_000, (recorder, _env, world) => {
    world.process('node').disk.failNext('write', 'records');
    for (let i = 0; i < 10; i++) stepOnce(recorder);
  });
  expect(failing.lines).toHaveLength(1);
  const world = new World({ seed: 1 });
  await world.run('node', 10_000, async (env) => {
    const recorder = await CoreRecorder.open(env, '/records', 1, 1000);
    world.process('node').disk.failNext('directory', '/records');
    recorder.config(CONFIG);
    stepOnce(recorder);
    await recorder.close();
  });
  expect(warnings(world)).toEqual([expect.stringContaining('injected IO')]);
  expect(warnings(failing.world)).toEqual([expect.stringContaining('injected IO')]);
});

function warnings(world: World): string[] {
  return world.log
    .lines()
    .map((line) => JSON.stringify(line))
    .filter((line) => line.includes('recording-ended'));
}

test('lines that are none are refused with the reason', () => {
  expect(() => parseHeader('{"format":2,"config":{}}')).toThrow(/format 2, this release reads 1/);
  expect(() => parseHeader('{"a":1}')).toThrow(/no recording/);
  expect(() => parseHeader('7')).toThrow(/not a JSON object/);
  expect(() => parseStep('{"event":{"type"')).toThrow(/not JSON/);
  expect(() => parseStep('{"event":{}}')).toThrow(/no recorded step/);
  expect(parseEnd('{"event":{}}')).toBeUndefined();
});

test('two listeners hear the same, in order; one alone is itself', () => {
  const heard: string[] = [];
  const listener = (name: string): CoreTrace => ({
    config: () => void heard.push(`${name} config`),
    draw: () => void heard.push(`${name} draw`),
    event: () => void heard.push(`${name} event`),
    effects: () => void heard.push(`${name} effects`),
  });
  const [a, b] = [listener('a'), listener('b')];
  expect(tracesOf(a, undefined)).toBe(a);
  expect(tracesOf(undefined, b)).toBe(b);
  expect(tracesOf(undefined, undefined)).toBeUndefined();
  const both = tracesOf(a, b) as CoreTrace;
  both.config(CONFIG);
  stepOnce(both);
  expect(heard).toEqual(['config', 'event', 'draw', 'effects'].flatMap((what) => [`a ${what}`, `b ${what}`]));
});
