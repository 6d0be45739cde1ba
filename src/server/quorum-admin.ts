// The quorum's part of AdminService, for whatever node this is.
import type { Uuid } from '../base/uuid.ts';
import type { ControllerChannel } from '../client/controller-channel.ts';
import type { NodeConfig } from '../config/node-config.ts';
import type { Env } from '../env/env.ts';
import { AdminServiceDefinition as Admin } from '../gen/kvorum/v1/admin.ts';
import type { QuorumAdmin } from '../quorum/admin.ts';
import { quorumAdmin } from '../quorum/admin.ts';
import type { Quorum } from '../quorum/quorum.ts';
import { identify } from './voters.ts';

export function composeQuorumAdmin(
  env: Env,
  config: NodeConfig,
  clusterId: Uuid,
  links: { readonly quorum: Quorum; readonly channel: ControllerChannel },
): QuorumAdmin {
  const { quorum, channel } = links;
  return quorumAdmin({
    nodeId: config.nodeId,
    clusterId,
    clock: env.clock,
    quorum,
    identify: (endpoint) => identify(env, endpoint),
    callLeader: (method, request, timeoutMs, repeatable) =>
      channel.call(Admin, method, request, timeoutMs, { repeatable }),
    requestTimeoutMs: config.values['request.timeout.ms'],
  });
}
