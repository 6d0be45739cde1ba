// Random histories of one log on a simulated disk, with kills, power cuts, failed syncs and full disks between any two
// operations of the disk, against a plain model: what was durable is there, nothing was invented, and all that is derived
// from the batches is what a replay of them gives. A failure prints a short list of commands and a line that replays it.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commands, options } from './commands.ts';
import { runCommands } from './runs.ts';

const { RUNS = '400', LOG_REPLAY } = process.env;

/** What must have happened in so many runs: the test is worth nothing if it stays away. */
const EVENTS = [
  'kill',
  'power-cut',
  'clean stops',
  'lost tails',
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
  'times found',
  'reconfigured',
];

test('D-10 whatever happens between two operations of the disk, a restart finds what was durable and invents nothing', async () => {
  const met = new Map<string, number>();
  const again = LOG_REPLAY === undefined ? undefined : (JSON.parse(LOG_REPLAY) as Replay);
  const property = fc.asyncProperty(options, commands(again?.commands), (how, steps) => runCommands(how, steps, met));
  const details = await fc.check(property, {
    numRuns: Number(RUNS),
    ...(again && { seed: again.seed, path: again.path }),
  });
  if (details.failed)
    throw new Error(report(details as fc.RunDetails<[object, object]>), { cause: details.errorInstance });
  if (again !== undefined || Number(RUNS) < 400) return;
  for (const event of EVENTS) expect(met.get(event) ?? 0, event).toBeGreaterThan(1);
});

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
