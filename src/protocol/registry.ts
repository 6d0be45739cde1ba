// Every API that this floor defines. What a broker really serves is its dispatch table; it advertises exactly that.
import type { AnyApi } from './api.ts';
import { apiVersionsApi } from './apis/api-versions.ts';
import { createTopicsApi } from './apis/create-topics.ts';
import { deleteRecordsApi } from './apis/delete-records.ts';
import { deleteTopicsApi } from './apis/delete-topics.ts';
import { describeClusterApi } from './apis/describe-cluster.ts';
import { describeLogDirsApi } from './apis/describe-log-dirs.ts';
import { describeQuorumApi } from './apis/describe-quorum.ts';
import { fetchApi } from './apis/fetch.ts';
import { findCoordinatorApi } from './apis/find-coordinator.ts';
import { initProducerIdApi } from './apis/init-producer-id.ts';
import { listOffsetsApi } from './apis/list-offsets.ts';
import { metadataApi } from './apis/metadata.ts';
import { offsetForLeaderEpochApi } from './apis/offset-for-leader-epoch.ts';
import { produceApi } from './apis/produce.ts';

/** By ascending key. */
export const ALL_APIS: readonly AnyApi[] = [
  produceApi,
  fetchApi,
  listOffsetsApi,
  metadataApi,
  findCoordinatorApi,
  apiVersionsApi,
  createTopicsApi,
  deleteTopicsApi,
  deleteRecordsApi,
  initProducerIdApi,
  offsetForLeaderEpochApi,
  describeLogDirsApi,
  describeQuorumApi,
  describeClusterApi,
];

const byKey: ReadonlyMap<number, AnyApi> = new Map(ALL_APIS.map((api) => [api.key, api]));

/** Undefined for a key that Kvorum does not know. */
export function apiByKey(key: number): AnyApi | undefined {
  return byKey.get(key);
}

/** One entry of `ApiVersionsResponse.apiKeys`. */
export interface AdvertisedVersions {
  readonly apiKey: number;
  readonly minVersion: number;
  readonly maxVersion: number;
}

/** What to answer in ApiVersions when exactly these APIs are served, by ascending key. */
export function advertisedVersions(apis: Iterable<AnyApi>): AdvertisedVersions[] {
  return [...apis]
    .sort((a, b) => a.key - b.key)
    .map((api) => ({ apiKey: api.key, minVersion: api.advertisedMin, maxVersion: api.maxVersion }));
}
