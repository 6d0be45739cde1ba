// Runs of one log alone, for mutants: the model test of test/prop/log. One seed is a few dozen histories.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import type { Outcome, Scenario, SimKind } from '../sim/kind.ts';

/** Histories for one seed. */
const HISTORIES = 50;

/** `source`: a folder like src/, with the tests of the log beside it. */
export async function loadLogKind(source: string): Promise<Pick<SimKind, 'draw' | 'parse' | 'run'>> {
  const load = async (file: string): Promise<unknown> =>
    import(pathToFileURL(join(source, '../test/prop/log', file)).href);
  const { commands, options } = (await load('commands.ts')) as typeof import('../prop/log/commands.ts');
  const { runCommands } = (await load('runs.ts')) as typeof import('../prop/log/runs.ts');

  async function run({ seed }: Scenario): Promise<Outcome> {
    let events = 0;
    try {
      for (const [how, steps] of fc.sample(fc.tuple(options, commands()), { seed, numRuns: HISTORIES })) {
        events += await runCommands(how, steps, new Map());
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

/** What the model says begins with the property; anything else is a crash. */
function violationOf(error: unknown): { readonly property: string; readonly detail: string } {
  const text = error instanceof Error ? error.message : String(error);
  const [, property, detail] = /^([SL]-[A-Z]+\d+): (.*)/.exec(text) ?? [];
  if (property !== undefined) return { property, detail: detail ?? '' };
  return { property: 'S-X2', detail: text.slice(0, 300) };
}
