// Which metadata levels the controllers can follow, asked of each of them now: brokers register theirs, controllers do not.
import type { NodeId } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { Address } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import type { IdentifyResponse } from '../gen/kvorum/v1/raft.ts';
import type { ControllerLevels } from '../metadata/features.ts';
import { LATEST_METADATA_LEVEL, MIN_METADATA_LEVEL } from '../metadata/record.ts';

export interface AskedControllers {
  readonly clusterId: Uuid;
  /** This node, which need not ask itself. */
  readonly nodeId: NodeId;
  /** Those to ask: the voters in force. */
  readonly voters: () => readonly { readonly id: NodeId; readonly address: Address }[];
  /** Who answers at `host:port`; RpcError. */
  readonly identify: (endpoint: string) => Promise<IdentifyResponse>;
}

/** One entry per voter; who does not answer within a second is listed with the reason. */
export function askControllers(asked: AskedControllers): Promise<ControllerLevels[]> {
  return Promise.all(asked.voters().map((voter) => ask(asked, voter)));
}

async function ask(
  { clusterId, nodeId, identify }: AskedControllers,
  { id, address }: { readonly id: NodeId; readonly address: Address },
): Promise<ControllerLevels> {
  if (id === nodeId) return known(id, MIN_METADATA_LEVEL, LATEST_METADATA_LEVEL);
  const at = `${address.host}:${address.port}`;
  try {
    const answer = await identify(at);
    if (answer.clusterId !== clusterId) return unknown(id, `at ${at} is a controller of cluster ${answer.clusterId}`);
    if (answer.replica?.id !== id) return unknown(id, `at ${at} is node ${answer.replica?.id ?? 'without an id'}`);
    // A version that does not say knows the first level alone.
    return known(id, answer.minMetadataLevel || 1, answer.maxMetadataLevel || 1);
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return unknown(id, `no answer at ${at}: ${error.message}`);
  }
}

function known(nodeId: NodeId, minMetadataLevel: number, maxMetadataLevel: number): ControllerLevels {
  return { nodeId, minMetadataLevel, maxMetadataLevel, unknownReason: '' };
}

function unknown(nodeId: NodeId, unknownReason: string): ControllerLevels {
  return { nodeId, minMetadataLevel: -1, maxMetadataLevel: -1, unknownReason };
}
