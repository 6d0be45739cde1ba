// DescribeCluster: brokers of the cluster. Controllers (endpoint type 2) are asked for on the controller listener, by gRPC.
import { brokersInOrder } from '../../metadata/image.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type { DescribeClusterRequest, describeClusterApi } from '../../protocol/apis/describe-cluster.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { addressOf, anyAliveBroker } from '../brokers.ts';
import type { BrokerContext, Call } from '../context.ts';

const BROKERS = 1;

export function describeCluster(
  context: BrokerContext,
  request: DescribeClusterRequest,
  call: Call,
): ResponseInput<typeof describeClusterApi> {
  const { image } = context.metadata;
  const { clusterId } = context;
  if (request.endpointType !== BROKERS) {
    return {
      errorCode: ErrorCode.MISMATCHED_ENDPOINT_TYPE,
      errorMessage: 'this listener knows brokers only (endpoint type 1)',
      clusterId,
      brokers: [],
    };
  }
  const brokers = brokersInOrder(image).flatMap((broker) => {
    const address = addressOf(broker, call.listener);
    if (address === undefined || (broker.fenced && !request.includeFencedBrokers)) return [];
    const { nodeId: brokerId, ...rest } = address;
    return [{ brokerId, ...rest, isFenced: broker.fenced }];
  });
  return {
    errorCode: ErrorCode.NONE,
    clusterId,
    controllerId: anyAliveBroker(image, context.config.nodeId),
    brokers,
  };
}
