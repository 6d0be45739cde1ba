// The simulated clock, randomness, disk and store keep the promises of their ports.
import { clockSuite } from './clock.suite.ts';
import { diskSuite } from './disk.suite.ts';
import { randomSuite } from './random.suite.ts';
import { simHarness } from './sim.ts';
import { storeSuite } from './store.suite.ts';

for (const seed of [1, 2, 3]) {
  const name = `simulated (seed ${seed})`;
  clockSuite(name, simHarness(seed));
  randomSuite(name, simHarness(seed));
  diskSuite(name, simHarness(seed));
  storeSuite(name, simHarness(seed));
}
