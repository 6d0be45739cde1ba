// A replica says what it lost (S-D8): it is in the loss ledger once, however often it is said.
import type { ReportLossesRequest, ReportLossesResponse } from '../../gen/kvorum/v1/controller.ts';
import { itemError } from '../../metadata/errors.ts';
import type { MetadataImage } from '../../metadata/image.ts';
import type { Decided } from './decision.ts';

export function decideReportLosses(_image: MetadataImage, request: ReportLossesRequest): Decided<ReportLossesResponse> {
  const losses = request.losses.map(({ topicId, partition }) => {
    return { topicId, partition, error: itemError('INVALID_REQUEST', 'there is no ledger yet') };
  });
  return { records: [], respond: () => ({ losses }) };
}
