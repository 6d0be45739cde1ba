// The real controller against the model (C-0.1 to C-0.3, C-2, C-3.4, C-3.6, C-6, C-9.2), over a quorum that commits, elects and
// deposes when the run says so.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Model } from './model.ts';
import { modelCommands } from './model-commands.ts';
import { Real } from './real.ts';

/** An active controller with brokers 1 to 3 in service. */
async function start(): Promise<{ model: Model; real: Real }> {
  const [model, real] = [new Model(), new Real()];
  const byName = (wanted: string): fc.AsyncCommand<Model, Real> => {
    for (const arbitrary of modelCommands) {
      const found = fc.sample(arbitrary, { numRuns: 200, seed: 1 }).find((command) => String(command) === wanted);
      if (found !== undefined) return found;
    }
    throw new Error(`there is no command ${wanted}`);
  };
  for (const name of ['elect', 'commit 100', ...[1, 2, 3].flatMap((id) => [`register ${id} clean`, `beat ${id}`])]) {
    await byName(name).run(model, real);
  }
  return { model, real };
}

it('answers what the model says, when it is committed and not before; nothing that was not is left', async () => {
  let [answered, lost] = [0, 0];
  await fc.assert(
    fc.asyncProperty(fc.commands(modelCommands, { maxCommands: 60, size: 'max' }), async (commands) => {
      const setup = await start();
      await fc.asyncModelRun(() => setup, commands);
      answered += setup.real.answered;
      lost += setup.real.lost;
    }),
    { numRuns: 150, seed: 20_261_125 },
  );
  expect(answered).toBeGreaterThan(1000);
  expect(lost).toBeGreaterThan(100);
}, 60_000);
