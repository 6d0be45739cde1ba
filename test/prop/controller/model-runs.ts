// Runs of the model, as they are drawn and as they begin.
import fc from 'fast-check';
import { Model } from './model.ts';
import { modelCommands } from './model-commands.ts';
import { Real } from './real.ts';

export const modelRuns = fc.commands(modelCommands, { maxCommands: 60, size: 'max' });

/** An active controller with brokers 1 to 3 in service. */
export async function startModel(): Promise<{ model: Model; real: Real }> {
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
