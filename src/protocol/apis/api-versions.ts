// ApiVersions (key 18): what a broker serves, asked before anything else. Any client must be able to read the answer, so
// its header has no tagged fields, and a version that we lack is answered in version 0.
import type { RequestOf, ResponseOf } from '../api.ts';
import { defineApi } from '../api.ts';
import { array, bool, int16, int32, int64, string, struct } from '../schema.ts';

const request = struct({
  clientSoftwareName: string({ versions: '3+', default: '', ignorable: true }),
  clientSoftwareVersion: string({ versions: '3+', default: '', ignorable: true }),
});

const response = struct({
  errorCode: int16(),
  apiKeys: array(
    struct({
      apiKey: int16(),
      minVersion: int16(),
      maxVersion: int16(),
    }),
  ),
  throttleTimeMs: int32({ versions: '1+', default: 0, ignorable: true }),
  /** Below version 4 old clients cannot stand a `minVersion` of 0 here: the broker leaves such features out. */
  supportedFeatures: array(
    struct({
      name: string(),
      minVersion: int16(),
      maxVersion: int16(),
    }),
    { versions: '3+', tag: 0, ignorable: true },
  ),
  /** -1 while unknown. */
  finalizedFeaturesEpoch: int64({ versions: '3+', tag: 1, default: -1, ignorable: true }),
  finalizedFeatures: array(
    struct({
      name: string(),
      maxVersionLevel: int16(),
      minVersionLevel: int16(),
    }),
    { versions: '3+', tag: 2, ignorable: true },
  ),
  zkMigrationReady: bool({ versions: '3+', tag: 3, default: false, ignorable: true }),
});

export const apiVersionsApi = defineApi({
  key: 18,
  name: 'ApiVersions',
  minVersion: 0,
  maxVersion: 4,
  flexibleFrom: 3,
  plainResponseHeader: true,
  request,
  response,
});
export type ApiVersionsRequest = RequestOf<typeof apiVersionsApi>;
export type ApiVersionsResponse = ResponseOf<typeof apiVersionsApi>;
