// ApiVersions: what this broker serves. A version it lacks is answered with a version 0 body and error 35 (kafka-protocol 1.3).

import type { ResponseInput } from '../../protocol/api.ts';
import type { ApiVersionsRequest } from '../../protocol/apis/api-versions.ts';
import { apiVersionsApi } from '../../protocol/apis/api-versions.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { encodeResponseFrame } from '../../protocol/frame.ts';
import type { RequestHeader } from '../../protocol/header.ts';
import { advertisedVersions } from '../../protocol/registry.ts';
import type { BrokerContext, Call } from '../context.ts';

/** KIP-511. */
const SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;

/** Kafka's number for the metadata level of 4.0, which tools read as the release of the cluster. */
const KAFKA_METADATA_VERSION = 25;

export function apiVersions(
  context: BrokerContext,
  request: ApiVersionsRequest,
  call: Call,
): ResponseInput<typeof apiVersionsApi> {
  if (
    call.apiVersion >= 3 &&
    !(SOFTWARE.test(request.clientSoftwareName) && SOFTWARE.test(request.clientSoftwareVersion))
  ) {
    return { errorCode: ErrorCode.INVALID_REQUEST, apiKeys: [] };
  }
  const name = 'metadata.version';
  return {
    errorCode: ErrorCode.NONE,
    apiKeys: advertisedVersions(context.servedApis),
    supportedFeatures: [{ name, minVersion: 1, maxVersion: KAFKA_METADATA_VERSION }],
    finalizedFeaturesEpoch: context.metadata.image.endOffset,
    finalizedFeatures: [{ name, minVersionLevel: KAFKA_METADATA_VERSION, maxVersionLevel: KAFKA_METADATA_VERSION }],
  };
}

/** The answer to an ApiVersions of a version that is not served. */
export function answerUnknownVersion(header: RequestHeader): Buffer[] {
  return encodeResponseFrame(apiVersionsApi, 0, header.correlationId, {
    errorCode: ErrorCode.UNSUPPORTED_VERSION,
    apiKeys: advertisedVersions([apiVersionsApi]),
  });
}
