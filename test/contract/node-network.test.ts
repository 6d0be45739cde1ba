// Real sockets and gRPC keep the promises of the Network port.
import { nodeHarness } from './node.ts';
import { rpcSuite } from './rpc.suite.ts';
import { rpcDetailSuite } from './rpc-detail.suite.ts';
import { rpcStreamSuite } from './rpc-stream.suite.ts';
import { streamsSuite } from './streams.suite.ts';

streamsSuite('real', nodeHarness);
rpcSuite('real', nodeHarness);
rpcDetailSuite('real', nodeHarness);
rpcStreamSuite('real', nodeHarness);
