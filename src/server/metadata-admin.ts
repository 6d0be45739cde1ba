// The part of AdminService that explains the metadata: why a partition has this leader, how it came to that, what changed between
// two offsets. The same on controllers and brokers: each answers from its own committed image and its own committed log.
import type { Clock } from '../env/clock.ts';
import type { RpcHandlers } from '../env/network.ts';
import type { AdminServiceDefinition } from '../gen/kvorum/v1/admin.ts';
import { describePartition } from '../metadata/describe.ts';
import { itemError } from '../metadata/errors.ts';
import { partitionOf, topicByName } from '../metadata/image.ts';
import type { MetadataPublisher } from '../metadata/publisher.ts';
import type { Quorum } from '../quorum/quorum.ts';

export type MetadataAdmin = Pick<
  RpcHandlers<AdminServiceDefinition>,
  'explainPartition' | 'metadataHistory' | 'diffMetadata'
>;

export interface MetadataAdminDeps {
  readonly clock: Clock;
  readonly quorum: Quorum;
  readonly publisher: MetadataPublisher;
}

/** The handlers, to be spread into AdminService. */
export function metadataAdmin({ publisher, quorum }: MetadataAdminDeps): MetadataAdmin {
  return {
    explainPartition: (request) => {
      const { image } = publisher;
      const topic = topicByName(image, request.topic);
      const state = topic && partitionOf(image, topic.topicId, request.partition);
      return Promise.resolve({
        topicId: topic?.topicId ?? '',
        error: state
          ? undefined
          : itemError('UNKNOWN_TOPIC_OR_PARTITION', `there is no partition ${request.topic}-${request.partition}`),
        state: state && describePartition(state, request.partition),
        verdict: '',
        decidedBy: undefined,
        replicas: [],
        whatWouldChange: [],
        metadataEndOffset: image.endOffset,
      });
    },
    // oxlint-disable-next-line require-await
    async *metadataHistory() {
      yield { event: { $case: 'logStartOffset', logStartOffset: quorum.describe().logStartOffset } };
    },
    // oxlint-disable-next-line require-await
    async *diffMetadata() {
      yield { entries: [] };
    },
  };
}
