// A generated service to call in tests, so that the real encoding is on the way.
import type { Env } from '../../../src/env/env.ts';
import type { Listener, RpcContext } from '../../../src/env/network.ts';
import { rpcService } from '../../../src/env/network.ts';
import type { VoteRequest } from '../../../src/gen/kvorum/v1/raft.ts';
import { RaftServiceDefinition } from '../../../src/gen/kvorum/v1/raft.ts';

const RAFT_PORT = 9093;

const EMPTY_REQUEST: VoteRequest = {
  clusterId: '',
  voterKey: undefined,
  candidateKey: undefined,
  epoch: 0,
  lastEpoch: 0,
  logEndOffset: 0,
  preVote: false,
};

/** The raft service of generated code whose Vote runs `vote`; everything else is a bug. */
export function serveRaft(
  env: Env,
  vote: (request: VoteRequest, context: RpcContext) => Promise<void>,
): Promise<Listener> {
  const unused = async (): Promise<never> => {
    throw new Error('not part of this test');
  };
  const methods = Object.keys(RaftServiceDefinition.methods);
  const handlers = Object.fromEntries(methods.map((method) => [method, unused]));
  const service = rpcService(RaftServiceDefinition, {
    ...(handlers as Record<keyof typeof RaftServiceDefinition.methods, typeof unused>),
    vote: async (request, context) => {
      await vote(request, context);
      const { epoch } = request;
      return { error: 0, epoch, leaderId: -1, leaderEndpoint: '', granted: true, voter: undefined, logEmpty: false };
    },
  });
  return env.network.serve({ host: 'localhost', port: RAFT_PORT }, [service]);
}

/** Calls Vote on `host` with a deadline in milliseconds and the epoch to ask for. */
export function raftClient(
  env: Env,
  host: string,
): (timeoutMs: number, request?: Partial<VoteRequest>) => Promise<void> {
  const client = env.network.client({ host, port: RAFT_PORT });
  return async (timeoutMs, request = {}) => {
    const method = RaftServiceDefinition.methods.vote;
    await client.call(RaftServiceDefinition, method, { ...EMPTY_REQUEST, ...request }, timeoutMs);
  };
}
