// A controller over the simulated network that says what a test wants.
import { expect } from 'vitest';
import type { Env } from '../../../src/env/env.ts';
import type { RpcStreamContext } from '../../../src/env/network.ts';
import { RpcError } from '../../../src/env/network.ts';
import { AdminServiceDefinition, DescribeQuorumResponse } from '../../../src/gen/kvorum/v1/admin.ts';
import type {
  AlterPartitionRequest,
  AlterPartitionResponse,
  AssignReplicasToDirsRequest,
  AssignReplicasToDirsResponse,
  BrokerHeartbeatRequest,
  HoldSessionRequest,
  HoldSessionResponse,
  RegisterBrokerRequest,
  ReportLossesRequest,
  ReportLossesResponse,
} from '../../../src/gen/kvorum/v1/controller.ts';
import { ControllerServiceDefinition } from '../../../src/gen/kvorum/v1/controller.ts';

export const ADDRESS = { host: 'controller', port: 9093 };
export const BROKER_EPOCH = 17;

export class ScriptedController {
  readonly registrations: RegisterBrokerRequest[] = [];
  readonly heartbeats: BrokerHeartbeatRequest[] = [];
  readonly assignments: AssignReplicasToDirsRequest[] = [];
  /** How the next calls for log dirs end; all is assigned when nothing is left. */
  readonly verdicts: ((request: AssignReplicasToDirsRequest) => AssignReplicasToDirsResponse)[] = [];
  readonly alterations: AlterPartitionRequest[] = [];
  /** How the next calls for partitions end; none is answered when nothing is left. */
  readonly altering: ((request: AlterPartitionRequest) => AlterPartitionResponse | Promise<AlterPartitionResponse>)[] =
    [];
  readonly reports: ReportLossesRequest[] = [];
  /** How the next reports of losses end; none is answered when nothing is left. */
  readonly reporting: ((request: ReportLossesRequest) => ReportLossesResponse | Promise<ReportLossesResponse>)[] = [];
  /** When each connection was held, by the world's clock. */
  readonly held: number[] = [];
  /** How the connections under way end. */
  end: ((error?: RpcError) => void) | undefined;
  /** Heartbeats are not answered. */
  isSilent = false;
  /** Connections are refused. */
  refuses: RpcError | undefined;

  async serve({ network, clock }: Env): Promise<void> {
    const refuse = (): never => {
      throw new RpcError('UNIMPLEMENTED', 'not part of these tests');
    };
    const stubs = (definition: { methods: object }) =>
      Object.fromEntries(Object.keys(definition.methods).map((name) => [name, refuse]));
    await network.serve(ADDRESS, [
      {
        definition: AdminServiceDefinition,
        handlers: {
          ...stubs(AdminServiceDefinition),
          describeQuorum: () =>
            Promise.resolve({
              ...DescribeQuorumResponse.decode(new Uint8Array()),
              leaderId: 1,
              leaderEpoch: 1,
              fromLeader: true,
            }),
        },
      },
      {
        definition: ControllerServiceDefinition,
        handlers: {
          ...stubs(ControllerServiceDefinition),
          registerBroker: (request: RegisterBrokerRequest) => {
            this.registrations.push(request);
            return Promise.resolve({ brokerEpoch: BROKER_EPOCH });
          },
          brokerHeartbeat: (request: BrokerHeartbeatRequest) => {
            this.heartbeats.push(request);
            if (this.isSilent) return new Promise(() => undefined);
            return Promise.resolve({ fenced: false, shouldShutdown: request.wantShutdown });
          },
          assignReplicasToDirs: async (request: AssignReplicasToDirsRequest) => {
            this.assignments.push(request);
            return (this.verdicts.shift() ?? assigned)(request);
          },
          alterPartition: async (request: AlterPartitionRequest) => {
            this.alterations.push(request);
            return (this.altering.shift() ?? neverAnswers)(request);
          },
          reportLosses: async (request: ReportLossesRequest) => {
            this.reports.push(request);
            return (this.reporting.shift() ?? neverAnswers)(request);
          },
          holdSession: (request: HoldSessionRequest, context: RpcStreamContext) => this.#hold(request, context, clock),
        },
      },
    ]);
  }

  async *#hold(
    { brokerEpoch }: HoldSessionRequest,
    { signal }: RpcStreamContext,
    clock: Env['clock'],
  ): AsyncGenerator<HoldSessionResponse> {
    this.held.push(clock.now());
    if (this.refuses !== undefined) throw this.refuses;
    expect(brokerEpoch).toBe(BROKER_EPOCH);
    yield {};
    await new Promise<void>((resolve, reject) => {
      this.end = (error) => (error === undefined ? resolve() : reject(error));
      signal.addEventListener('abort', () => resolve());
    });
  }
}

function neverAnswers(): Promise<never> {
  return new Promise(() => undefined);
}

/** Every replica is assigned. */
export function assigned({ replicas }: AssignReplicasToDirsRequest): AssignReplicasToDirsResponse {
  return { replicas: replicas.map(({ topicId, partition }) => ({ topicId, partition, error: undefined })) };
}
