// The real controller against the model (C-0.1 to C-0.3, C-2, C-3.4, C-3.6, C-6, C-9.2), over a quorum that commits, elects and
// deposes when the run says so.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { modelRuns, startModel } from './model-runs.ts';

it('answers what the model says, when it is committed and not before; nothing that was not is left', async () => {
  let [answered, lost] = [0, 0];
  await fc.assert(
    fc.asyncProperty(modelRuns, async (commands) => {
      const setup = await startModel();
      await fc.asyncModelRun(() => setup, commands);
      answered += setup.real.answered;
      lost += setup.real.lost;
    }),
    { numRuns: 150, seed: 20_261_125 },
  );
  expect(answered).toBeGreaterThan(1000);
  expect(lost).toBeGreaterThan(100);
}, 60_000);
