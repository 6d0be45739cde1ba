// The part of AdminService that explains the metadata: why a partition has this leader, how it came to that, what changed between
// two offsets. The same on controllers and brokers: each answers from its own committed image and its own committed log.
import type { Clock } from '../env/clock.ts';
import type { RpcHandlers } from '../env/network.ts';
import type { AdminServiceDefinition } from '../gen/kvorum/v1/admin.ts';
import { explainPartition } from '../metadata/explain.ts';
import type { MetadataPublisher } from '../metadata/publisher.ts';
import type { ReadQuorum } from './committed-metadata.ts';
import { CommittedMetadata } from './committed-metadata.ts';
import { MetadataComparison, metadataHistory } from './metadata-changes.ts';
import { partitionOutlook } from './partition-outlook.ts';

export type MetadataAdmin = Pick<
  RpcHandlers<AdminServiceDefinition>,
  'explainPartition' | 'metadataHistory' | 'diffMetadata'
>;

export interface MetadataAdminDeps {
  readonly clock: Clock;
  readonly quorum: ReadQuorum;
  /** The node's committed image. */
  readonly publisher: Pick<MetadataPublisher, 'image'>;
}

/** The handlers, to be spread into AdminService. */
export function metadataAdmin({ clock, quorum, publisher }: MetadataAdminDeps): MetadataAdmin {
  const log = new CommittedMetadata(quorum, clock);
  const comparison = new MetadataComparison(log, clock);
  const evidence = {
    recordAt: (offset: number) => log.recordAt(offset),
    outlook: partitionOutlook,
  };
  return {
    explainPartition: async (request) => explainPartition(publisher.image, request, evidence),
    metadataHistory: (request, context) => metadataHistory(log, request, context),
    diffMetadata: (request, context) => comparison.diff(request, context),
  };
}
