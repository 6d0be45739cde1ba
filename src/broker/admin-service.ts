// AdminService on a broker: reads from its own committed image, everything else passed on to the active controller.
import type { AdminForwarder } from '../client/admin-forwarder.ts';
import type { AdminReads } from '../client/admin-writes.ts';
import type { RpcService } from '../env/network.ts';
import { rpcService } from '../env/network.ts';
import { AdminServiceDefinition } from '../gen/kvorum/v1/admin.ts';

/** What a broker has of AdminService. */
export interface BrokerAdmin {
  readonly reads: AdminReads;
  readonly forwarder: AdminForwarder;
}

export function adminService({ reads, forwarder }: BrokerAdmin): RpcService {
  return rpcService(AdminServiceDefinition, { ...reads, ...forwarder.handlers() });
}
