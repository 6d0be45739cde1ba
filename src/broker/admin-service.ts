// AdminService on a broker: reads from its own committed image, everything else passed on to the active controller.
import type { AdminForwarder } from '../client/admin-forwarder.ts';
import type { AdminReads, AdminWrites } from '../client/admin-writes.ts';
import type { RpcService } from '../env/network.ts';
import { rpcService } from '../env/network.ts';
import { AdminServiceDefinition } from '../gen/kvorum/v1/admin.ts';

/** What a broker has of AdminService. */
export interface BrokerAdmin {
  readonly reads: AdminReads;
  readonly forwarder: AdminForwarder;
  /** Has checks of unclean elections say what they may cost. */
  readonly withPossibleLosses: (elect: AdminWrites['electLeaders']) => AdminWrites['electLeaders'];
}

export function adminService({ reads, forwarder, withPossibleLosses }: BrokerAdmin): RpcService {
  const writes = forwarder.handlers();
  const electLeaders = withPossibleLosses(writes.electLeaders);
  return rpcService(AdminServiceDefinition, { ...reads, ...writes, electLeaders });
}
