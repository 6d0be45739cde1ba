// A partition log on the real disk.
import { logSuite } from './log.suite.ts';
import { nodeHarness } from './node.ts';

logSuite('real', nodeHarness);
