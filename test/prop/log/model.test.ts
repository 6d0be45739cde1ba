// Random histories of one log on a simulated disk, with kills, power cuts, failed syncs and full disks between any two
// operations of the disk, against a plain model: what was durable is there, nothing was invented, and all that is derived
// from the batches is what a replay of them gives. A failure prints a short list of commands and a line that replays it.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commands, options } from './commands.ts';
import { runCommands } from './runs.ts';

/** RUNS=n: so many histories that nobody has seen. */
const { RUNS, LOG_REPLAY } = process.env;
const USUAL = { numRuns: 250, seed: 20_261_122 };

/** What must have happened in so many runs: the test is worth nothing if it stays away. */
const EVENTS = [
  'kill',
  'power-cut',
  'clean stops',
  'lost tails',
  'staged bytes lost',
  'failures',
  'fenced',
  'no space',
  'failed writes',
  'rolls',
  'truncations',
  'truncations to the end of an epoch',
  'duplicates',
  'out of order',
  'buffers of several batches',
  'tail reads',
  'catch-up reads',
  'opened cold',
  'warmed',
  'compactions: compacted',
  'compactions: nothing',
  'compactions: aborted',
  'compactions cut',
  'rot refused',
  'rot let in',
  'records deleted',
  'retentions',
  'times found',
  'reconfigured',
];

test('D-10 whatever happens between two operations of the disk, a restart finds what was durable and invents nothing', async () => {
  const met = new Map<string, number>();
  const again = LOG_REPLAY === undefined ? undefined : (JSON.parse(LOG_REPLAY) as Replay);
  const property = fc.asyncProperty(options, commands(again?.commands), async (how, steps) => {
    await runCommands(how, steps, met);
  });
  const runs = RUNS === undefined ? USUAL : { numRuns: Number(RUNS) };
  const details = await fc.check(
    property,
    again === undefined ? runs : { numRuns: 1, seed: again.seed, path: again.path },
  );
  if (details.failed)
    throw new Error(report(details as fc.RunDetails<[object, object]>), { cause: details.errorInstance });
  if (runs !== USUAL || again !== undefined) return;
  const rare = EVENTS.filter((event) => (met.get(event) ?? 0) < 3);
  expect(rare, JSON.stringify(Object.fromEntries(met))).toEqual([]);
}, 120_000);

interface Replay {
  readonly seed: number;
  readonly path: string;
  readonly commands: string;
}

function report({ seed, counterexample, counterexamplePath, errorInstance }: fc.RunDetails<[object, object]>): string {
  const [how, steps] = counterexample ?? [];
  const text = fc.stringify(steps);
  const [, replayPath = ''] = /replayPath="([^"]*)"/.exec(text) ?? [];
  const replay: Replay = { seed, path: counterexamplePath ?? '', commands: replayPath };
  const list = text.replace(/\/\*.*\*\//, '').split(/,(?=[a-zA-Z]+\()/);
  const line = `LOG_REPLAY='${JSON.stringify(replay)}' npx vitest run test/prop/log/model.test.ts`;
  return `${String(errorInstance)}\n${JSON.stringify(how)}\n  ${list.join('\n  ')}\nreplay: ${line}`;
}
