// Sees what leaders ask of controllers about ISRs, and what they are told (S-M5), through the network port of their broker.

import type { NodeId } from '../../base/ids.ts';
import type { Network, RpcClient } from '../../env/network.ts';
import { RpcError } from '../../env/network.ts';
import type { AlterPartitionRequest, AlterPartitionResponse } from '../../gen/kvorum/v1/controller.ts';
import { ControllerServiceDefinition as Controllers } from '../../gen/kvorum/v1/controller.ts';
import type { Ghost } from './observe.ts';

/** Of a node what this needs. */
interface Asker {
  readonly id: NodeId;
  readonly ghost: Ghost;
}

/** The port with the ghost told of every change of an ISR before it is asked for. */
export function watchAlterations(network: Network, node: Asker): Network {
  return { ...network, client: (to) => watched(network.client(to), node) };
}

function watched(client: RpcClient, node: Asker): RpcClient {
  return {
    ...client,
    async call(service, method, request, timeoutMs) {
      if (service.fullName !== Controllers.fullName || method.name !== Controllers.methods.alterPartition.name) {
        return client.call(service, method, request, timeoutMs);
      }
      asked(node, request as unknown as AlterPartitionRequest);
      try {
        const answer = await client.call(service, method, request, timeoutMs);
        for (const { error } of (answer as unknown as AlterPartitionResponse).partitions) {
          node.ghost.happened(node.id, `AlterPartition ${error?.name ?? 'done'}`);
        }
        return answer;
      } catch (error) {
        if (error instanceof RpcError) node.ghost.happened(node.id, `AlterPartition ${error.status}`);
        throw error;
      }
    },
  };
}

function asked({ id, ghost }: Asker, { brokerEpoch, partitions }: AlterPartitionRequest): void {
  ghost.happened(id, 'AlterPartition asked');
  for (const item of partitions) {
    ghost.metadata.alterationAsked({ ...item, senderId: id, senderEpoch: brokerEpoch });
  }
}
