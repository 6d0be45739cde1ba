// A few seeds of the swarm, so that the simulator itself stays alive; many more run with `make sim` and in the soak.
import { beforeAll, expect, test } from 'vitest';
import { loadCodecs } from '../../src/codec/compression.ts';
import { drawScenario } from '../../src/sim/cluster/draw-scenario.ts';
import { parseScenario } from '../../src/sim/cluster/scenario.ts';
import { runWell } from './scenarios.ts';

beforeAll(loadCodecs);

test('S-X1: the same scenario is the same run', async () => {
  const scenario = drawScenario(9);
  expect(scenario.faults.length).toBeGreaterThan(20);
  const first = await runWell(scenario);
  const second = await runWell(parseScenario(JSON.stringify(scenario)));
  expect(second.hash).toBe(first.hash);
  expect(second.events).toBe(first.events);
});

test.each([5, 7, 14, 15, 16])('seed %i', async (seed) => {
  await runWell(drawScenario(seed));
});

test('half of the faults are off in a seed', () => {
  const scenarios = Array.from({ length: 300 }, (_, seed) => drawScenario(seed));
  const share = (is: (scenario: (typeof scenarios)[number]) => boolean): number =>
    scenarios.filter(is).length / scenarios.length;
  expect(share(({ config }) => config.links.lossPermille > 0)).toBeLessThan(0.5);
  for (const kind of ['stop', 'pause', 'reset', 'stallDisk', 'failDisk', 'jumpClock']) {
    const used = share(({ faults }) => faults.some((fault) => fault.kind === kind));
    expect(used, kind).toBeLessThan(0.55);
    expect(used, kind).toBeGreaterThan(0.05);
  }
});

test('a scenario that cannot be understood is refused with a sentence', () => {
  const parse = (change: object) => () => parseScenario(JSON.stringify({ schemaVersion: 1, seed: 1, ...change }));
  expect(parse({})).not.toThrow();
  expect(parse({ schemaVersion: 2 })).toThrow('schemaVersion 2');
  expect(parse({ seed: 'x' })).toThrow('seed x');
  expect(parse({ config: { brokres: 1 } })).toThrow('config has no brokres');
  expect(parse({ faults: [{ kind: 'flood' }] })).toThrow('no fault flood');
  expect(parse({ triggers: [{ kind: 'kill', on: 'monday' }] })).toThrow('no moment monday');
});
