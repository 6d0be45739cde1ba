// ControllerService: what brokers say to the active controller. A controller that is not active refuses; callers look for it.
import type { Ms, NodeId, Offset } from '../base/ids.ts';
import type { RpcService } from '../env/network.ts';
import { RpcError, rpcService } from '../env/network.ts';
import type { BrokerHeartbeatRequest, BrokerHeartbeatResponse } from '../gen/kvorum/v1/controller.ts';
import { ControllerServiceDefinition } from '../gen/kvorum/v1/controller.ts';
import type { Claim } from './claim.ts';
import type { Decided } from './decide/decision.ts';
import { checkBrokerEpoch, decideHeartbeat } from './decide/heartbeat.ts';
import { decideAllocateProducerIds } from './decide/producer-ids.ts';
import { decideRegisterBroker } from './decide/register-broker.ts';
import type { CommandRunner, ControllerDeps } from './deps.ts';

/** Replaced one by one. */
const notYet = () => Promise.reject(new RpcError('UNIMPLEMENTED', 'this version does not serve this call'));
// oxlint-disable-next-line require-yield
async function* notYetStream(): AsyncGenerator<never> {
  throw new RpcError('UNIMPLEMENTED', 'this version does not serve this call');
}

export function controllerService(
  controller: Pick<CommandRunner, 'execute'>,
  { clusterId }: Pick<ControllerDeps, 'clusterId'>,
): RpcService {
  return rpcService(ControllerServiceDefinition, {
    registerBroker: (request, context) =>
      controller.execute(
        context,
        (claim, now) => {
          const sessionValid = claim.sessions.isValid(request.brokerId, now);
          return decideRegisterBroker(claim.working, request, { clusterId, sessionValid });
        },
        {
          decided: (claim, now) => {
            const broker = claim.working.brokers.get(request.brokerId);
            if (broker !== undefined) claim.sessions.touch(broker.brokerId, broker.brokerEpoch, now);
          },
        },
      ),
    brokerHeartbeat: (request, context) =>
      controller.execute(context, (claim, now) => heartbeat(claim, request, now), {
        decided: (claim) => shutdownEndOffset(claim, request.brokerId),
        isLifeSign: true,
      }),
    holdSession: notYetStream,
    alterPartition: notYet,
    assignReplicasToDirs: notYet,
    createReplicatedTopics: notYet,
    allocateProducerIds: (request, context) =>
      controller.execute(context, ({ working }) => {
        const checked = checkBrokerEpoch(working, request);
        return 'refused' in checked ? checked : decideAllocateProducerIds(working, request);
      }),
  });
}

/** Remembers where the broker's controlled shutdown began; 0 if it has not. */
function shutdownEndOffset({ working, sessions }: Claim, brokerId: NodeId): Offset {
  if (working.brokers.get(brokerId)?.inControlledShutdown !== true) return 0;
  return sessions.shutdownEndOffset(brokerId, working.endOffset);
}

function heartbeat(claim: Claim, request: BrokerHeartbeatRequest, now: Ms): Decided<BrokerHeartbeatResponse> {
  const { working, sessions } = claim;
  const checked = checkBrokerEpoch(working, request);
  if ('refused' in checked) return checked;
  sessions.touch(request.brokerId, request.brokerEpoch, now); // C-3.5: first, whatever comes of the rest
  sessions.report(request.brokerId, request.metadataEndOffset);
  const decision = decideHeartbeat(working, request, {
    shutdownEndOffset: shutdownEndOffset(claim, request.brokerId),
    lowestActiveEndOffset: sessions.lowestActiveEndOffset(working),
  });
  if (decision.next === 'SHUTDOWN_NOW') sessions.end(request.brokerId);
  return decision;
}
