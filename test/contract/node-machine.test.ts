// The real clock, randomness, disk and store keep the promises of their ports.
import { clockSuite } from './clock.suite.ts';
import { diskSuite } from './disk.suite.ts';
import { nodeHarness } from './node.ts';
import { randomSuite } from './random.suite.ts';
import { storeSuite } from './store.suite.ts';

clockSuite('real', nodeHarness);
randomSuite('real', nodeHarness);
diskSuite('real', nodeHarness);
storeSuite('real', nodeHarness);
