// Runs of the controller alone, for mutants: its decisions under random commands, and the whole of it against the model
// (test/prop/controller). One seed is a few dozen of the former and some of the latter.
import { AssertionError } from 'node:assert';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import type { Outcome, Scenario, SimKind } from '../sim/kind.ts';

/** Sequences of commands for one seed. */
const WORLDS = 40;
const MODELS = 10;

/** `source`: a folder like src/, with the tests of the controller beside it. */
export async function loadControllerKind(source: string): Promise<Pick<SimKind, 'draw' | 'parse' | 'run'>> {
  const load = async (file: string): Promise<unknown> =>
    import(pathToFileURL(join(source, '../test/prop/controller', file)).href);
  const { World } = (await load('world.ts')) as typeof import('../prop/controller/world.ts');
  const { commands } = (await load('world-commands.ts')) as typeof import('../prop/controller/world-commands.ts');
  const { startModel, modelRuns } = (await load('model-runs.ts')) as typeof import('../prop/controller/model-runs.ts');

  async function run({ seed }: Scenario): Promise<Outcome> {
    let events = 0;
    try {
      for (const [i, steps] of fc.sample(commands, { seed, numRuns: WORLDS }).entries()) {
        const world = new World([1, 2, 3, 3][i % 4]);
        for (const step of steps) world.run(step);
        world.checkSnapshot();
        events += steps.length;
      }
      for (const steps of fc.sample(modelRuns, { seed, numRuns: MODELS })) {
        const setup = await startModel();
        await fc.asyncModelRun(() => setup, steps);
      }
    } catch (error) {
      return { ...outcome(events), ok: false, ...violationOf(error) };
    }
    return outcome(events);
  }

  return { draw: (seed) => ({ seed }), parse: (text) => JSON.parse(text) as Scenario, run };
}

function outcome(events: number): Outcome {
  return { ok: true, atMs: 0, events, hash: 0, counters: {}, states: new Set(), log: () => '' };
}

/** Errors of checkers begin with their property; an answer or an image that the model does not have is S-M9. */
function violationOf(error: unknown): { readonly property: string; readonly detail: string } {
  const text = error instanceof Error ? error.message : String(error);
  const [, property, detail] = /^([SL]-[A-Z]+\d+): (.*)/.exec(text) ?? [];
  if (property !== undefined) return { property, detail: detail ?? '' };
  return { property: error instanceof AssertionError ? 'S-M9' : 'S-X2', detail: text.slice(0, 300) };
}
