// Simulated streams and RPC keep the promises of the Network port.
import { rpcSuite } from './rpc.suite.ts';
import { rpcDetailSuite } from './rpc-detail.suite.ts';
import { rpcStreamSuite } from './rpc-stream.suite.ts';
import { simHarness } from './sim.ts';
import { streamsSuite } from './streams.suite.ts';

for (const seed of [1, 2, 3]) {
  streamsSuite(`simulated (seed ${seed})`, simHarness(seed));
  rpcSuite(`simulated (seed ${seed})`, simHarness(seed));
  rpcDetailSuite(`simulated (seed ${seed})`, simHarness(seed));
  rpcStreamSuite(`simulated (seed ${seed})`, simHarness(seed));
}
