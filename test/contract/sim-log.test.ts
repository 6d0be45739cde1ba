// A partition log on the simulated disk.
import { logSuite } from './log.suite.ts';
import { simHarness } from './sim.ts';

for (const seed of [1, 2, 3]) logSuite(`simulated (seed ${seed})`, simHarness(seed));
