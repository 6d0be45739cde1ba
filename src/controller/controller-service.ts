// ControllerService: what brokers say to the active controller. A controller that is not active refuses; callers look for it. A
// broker speaks for itself alone, as the incarnation that is registered (C-2.5).
import type { NodeId, Offset } from '../base/ids.ts';
import type { RpcService } from '../env/network.ts';
import { rpcService } from '../env/network.ts';
import { ControllerServiceDefinition } from '../gen/kvorum/v1/controller.ts';
import type { MetadataImage } from '../metadata/image.ts';
import { heartbeat, noteMoves, registerBroker } from './broker-commands.ts';
import type { Claim } from './claim.ts';
import { decideAlterPartition } from './decide/alter-partition.ts';
import type { Decided } from './decide/decision.ts';
import { checkBrokerEpoch } from './decide/heartbeat.ts';
import { electionPolicyOf } from './decide/policy.ts';
import { decideAllocateProducerIds } from './decide/producer-ids.ts';
import { decideAssignReplicasToDirs } from './decide/replica-directories.ts';
import { decideReportLosses } from './decide/report-losses.ts';
import type { CommandRunner, ControllerDeps } from './deps.ts';
import { holdSession } from './held-sessions.ts';

interface Speaker {
  readonly brokerId: NodeId;
  readonly brokerEpoch: Offset;
}

/** C-2.5: first of all it is the registered incarnation that speaks. */
function asRegistered<Request extends Speaker, T>(
  request: Request,
  decide: (image: MetadataImage, request: Request) => Decided<T>,
): (claim: Claim) => Decided<T> {
  return ({ working }) => {
    const checked = checkBrokerEpoch(working, request);
    return 'refused' in checked ? checked : decide(working, request);
  };
}

export function controllerService(
  controller: CommandRunner,
  deps: Pick<ControllerDeps, 'clusterId' | 'env' | 'config'>,
): RpcService {
  const { clusterId } = deps;
  return rpcService(ControllerServiceDefinition, {
    registerBroker: (request, context) =>
      controller.execute(context, (claim, now) => registerBroker(claim, request, { clusterId, now }), {
        operation: `RegisterBroker of broker ${request.brokerId}`,
        decided: (claim, now) => {
          const broker = claim.working.brokers.get(request.brokerId);
          if (broker !== undefined) claim.sessions.touch(broker.brokerId, broker.brokerEpoch, now);
        },
      }),
    brokerHeartbeat: (request, context) =>
      controller.execute(context, (claim) => heartbeat(claim, request), {
        operation: `BrokerHeartbeat of broker ${request.brokerId}`,
        // C-3.5: whatever comes of the rest.
        lifeSign: (claim, now) => {
          if ('refused' in checkBrokerEpoch(claim.working, request)) return;
          claim.sessions.touch(request.brokerId, request.brokerEpoch, now);
          claim.sessions.report(request.brokerId, request.metadataEndOffset);
        },
        decided: (claim, _, records) => noteMoves(claim, request.brokerId, records),
      }),
    holdSession: (request, context) => holdSession(controller, request, context),
    alterPartition: (request, context) =>
      controller.execute(
        context,
        asRegistered(request, (image) => decideAlterPartition(image, request, electionPolicyOf(image))),
        { operation: `AlterPartition of broker ${request.brokerId}` },
      ),
    assignReplicasToDirs: (request, context) =>
      controller.execute(context, asRegistered(request, decideAssignReplicasToDirs), {
        operation: `AssignReplicasToDirs of broker ${request.brokerId}`,
      }),
    reportLosses: (request, context) =>
      controller.execute(context, asRegistered(request, decideReportLosses), {
        operation: `ReportLosses of broker ${request.brokerId}`,
      }),
    allocateProducerIds: (request, context) =>
      controller.execute(context, asRegistered(request, decideAllocateProducerIds), {
        operation: `AllocateProducerIds of broker ${request.brokerId}`,
      }),
  });
}
