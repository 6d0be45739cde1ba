// The simulated world for the contract suites: two processes on a healthy network, virtual time.
import { World } from '../../src/sim/world/world.ts';
import type { Harness } from './harness.ts';

/** More virtual time than any suite needs. */
const LIMIT_MS = 600_000;

/** Each seed is another schedule of the same suites. */
export function simHarness(seed: number): Harness {
  return {
    run: async (body) => {
      const world = new World({ seed });
      // Some suites take what was written at once to arrive at once, as it does over loopback.
      world.network.splitSegments(0);
      const peer = world.process('node2', { judge: judgeContract }).start();
      const node = world.process('node1', { judge: judgeContract });
      node.disk.provision('/data');
      await world.run('node1', LIMIT_MS, (env) => body({ env, peer, host: 'node1', directory: '/data' }));
    },
  };
}

/** One suite has a handler throw this; the simulator would call that a bug. */
function judgeContract(error: unknown): 'fail' | 'ignore' {
  return error instanceof Error && error.message === 'secret of the house' ? 'ignore' : 'fail';
}
