// AdminService on a controller: writes are decided here if this is the active one, else passed on once; the rest every node answers
// alike. A command that names itself is carried out once (C-9.1c).
import type { Ms, NodeId } from '../base/ids.ts';
import type { AdminWrite, AdminWrites, RequestOf, ResponseOf } from '../client/admin-writes.ts';
import { checkWrite, timeToTry } from '../client/admin-writes.ts';
import type { RpcContext, RpcService } from '../env/network.ts';
import { rpcService } from '../env/network.ts';
import { AdminServiceDefinition } from '../gen/kvorum/v1/admin.ts';
import { unregisterBroker } from './broker-commands.ts';
import type { Claim } from './claim.ts';
import { decideAlterConfigs } from './decide/alter-configs.ts';
import { carriedOutOnce } from './decide/commands.ts';
import { decideCreatePartitions } from './decide/create-partitions.ts';
import { decideCreateTopics } from './decide/create-topics.ts';
import type { Decided } from './decide/decision.ts';
import { decideDeleteTopics } from './decide/delete-topics.ts';
import { decideElectLeaders } from './decide/elect-leaders.ts';
import { electionPolicyOf } from './decide/policy.ts';
import { decideUpdateFeatures } from './decide/update-features.ts';
import type { CommandRunner, ControllerDeps, Wait } from './deps.ts';
import { createTopicsContext } from './topic-creation.ts';

type Decide<W extends AdminWrite> = (claim: Claim, request: RequestOf<W>, now: Ms) => Decided<ResponseOf<W>> | Wait;
type Handler<W extends AdminWrite> = (request: RequestOf<W>, context: RpcContext) => Promise<ResponseOf<W>>;

export function adminService(controller: CommandRunner, deps: ControllerDeps): RpcService {
  const { reads } = deps.admin;
  return rpcService(AdminServiceDefinition, { ...reads, ...writes(controller, deps) });
}

function writes(controller: CommandRunner, deps: ControllerDeps): AdminWrites {
  const { admin, quorum } = deps;
  const { createTopics, createPartitions, deleteTopics, alterConfigs } = AdminServiceDefinition.methods;
  const voterIds = (): NodeId[] => quorum.describe().voters.map(({ replica }) => replica.id);
  const context = createTopicsContext(deps);

  function write<W extends AdminWrite>(name: W, decide: Decide<W>): Handler<W> {
    return async (request, context) => {
      if (!controller.isActive && !request.forwarded) return admin.forwarder.send(name, request, context.remainingMs);
      checkWrite(name, request);
      const inTime = { ...context, remainingMs: timeToTry(context.remainingMs) };
      return controller.execute(inTime, (claim, now) => decide(claim, request, now), { operation: name });
    };
  }

  return {
    createTopics: write('createTopics', ({ working }, request) =>
      carriedOutOnce(working, request, createTopics, () => decideCreateTopics(working, request, context)),
    ),
    createPartitions: write('createPartitions', ({ working }, request) =>
      carriedOutOnce(working, request, createPartitions, () => decideCreatePartitions(working, request)),
    ),
    deleteTopics: write('deleteTopics', ({ working }, request) =>
      carriedOutOnce(working, request, deleteTopics, () => decideDeleteTopics(working, request)),
    ),
    alterConfigs: write('alterConfigs', ({ working }, request) =>
      carriedOutOnce(working, request, alterConfigs, () => decideAlterConfigs(working, request)),
    ),
    electLeaders: admin.withPossibleLosses(
      write('electLeaders', ({ working }, request) => decideElectLeaders(working, request, electionPolicyOf(working))),
    ),
    unregisterBroker: write('unregisterBroker', (claim, request, now) =>
      unregisterBroker(claim, request, { now, voterIds: new Set(voterIds()) }),
    ),
    updateFeatures: async (request, context) => {
      // Asked before, as deciding is done in one step.
      const controllers = controller.isActive ? await admin.controllerLevels() : [];
      const decided = write('updateFeatures', ({ working }, it) =>
        decideUpdateFeatures(working, it, { controllers, voters: voterIds() }),
      );
      return decided(request, context);
    },
  };
}
