// AdminService.DescribeLosses, the same on controllers and brokers: the node's own image answers.
import { printable } from '../base/printable.ts';
import type { RpcHandlers } from '../env/network.ts';
import { invalidArgument, undone } from '../env/rpc-failures.ts';
import type { AdminServiceDefinition, DescribeLossesRequest } from '../gen/kvorum/v1/admin.ts';
import { describeLosses } from '../metadata/describe-losses.ts';
import type { MetadataImage } from '../metadata/image.ts';
import { topicByName } from '../metadata/image.ts';
import { LEDGER_LEVEL } from '../metadata/level.ts';
import type { MetadataPublisher } from '../metadata/publisher.ts';

const MAX_TOPICS = 10_000;

/** The handler, to be spread into AdminService. RpcError INVALID_ARGUMENT. */
export function lossesAdmin(
  publisher: Pick<MetadataPublisher, 'image'>,
): Pick<RpcHandlers<AdminServiceDefinition>, 'describeLosses'> {
  return {
    describeLosses: async (request) => {
      check(publisher.image, request);
      return describeLosses(publisher.image, request);
    },
  };
}

function check(image: MetadataImage, { topics }: DescribeLossesRequest): void {
  if (image.level < LEDGER_LEVEL) {
    // "Nothing" would be taken for an answer.
    const message = `losses are recorded from metadata level ${LEDGER_LEVEL} on, and the cluster is at ${image.level}: raise it by kvorum cluster upgrade`;
    throw undone('INVALID_ARGUMENT', 'UNSUPPORTED_VERSION', message);
  }
  if (topics.length > MAX_TOPICS) {
    throw invalidArgument('topics', `the call names ${topics.length} topics, of ${MAX_TOPICS} possible`);
  }
  const unknown = topics.find((name) => topicByName(image, name) === undefined);
  if (unknown !== undefined) throw invalidArgument('topics', printable(`there is no topic '${unknown}'`));
}
