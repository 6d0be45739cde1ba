// The dispatch table: every API that this broker serves. What is not here is not advertised, and closes the connection.
import type { AnyApi } from '../protocol/api.ts';
import { apiVersionsApi } from '../protocol/apis/api-versions.ts';
import { createTopicsApi } from '../protocol/apis/create-topics.ts';
import { deleteRecordsApi } from '../protocol/apis/delete-records.ts';
import { deleteTopicsApi } from '../protocol/apis/delete-topics.ts';
import { describeClusterApi } from '../protocol/apis/describe-cluster.ts';
import { describeLogDirsApi } from '../protocol/apis/describe-log-dirs.ts';
import { describeQuorumApi } from '../protocol/apis/describe-quorum.ts';
import { fetchApi } from '../protocol/apis/fetch.ts';
import { findCoordinatorApi } from '../protocol/apis/find-coordinator.ts';
import { initProducerIdApi } from '../protocol/apis/init-producer-id.ts';
import { listOffsetsApi } from '../protocol/apis/list-offsets.ts';
import { metadataApi } from '../protocol/apis/metadata.ts';
import { offsetForLeaderEpochApi } from '../protocol/apis/offset-for-leader-epoch.ts';
import { produceApi } from '../protocol/apis/produce.ts';
import { apiVersions } from './handlers/api-versions.ts';
import { createTopics } from './handlers/create-topics.ts';
import { deleteRecords } from './handlers/delete-records.ts';
import { deleteTopics } from './handlers/delete-topics.ts';
import { describeCluster } from './handlers/describe-cluster.ts';
import { describeLogDirs } from './handlers/describe-log-dirs.ts';
import { describeQuorum } from './handlers/describe-quorum.ts';
import { fetch } from './handlers/fetch.ts';
import { findCoordinator } from './handlers/find-coordinator.ts';
import { initProducerId } from './handlers/init-producer-id.ts';
import { listOffsets } from './handlers/list-offsets.ts';
import { metadata } from './handlers/metadata.ts';
import { offsetForLeaderEpoch } from './handlers/offset-for-leader-epoch.ts';
import { produce } from './handlers/produce.ts';
import type { Route } from './route.ts';
import { route } from './route.ts';

const ROUTES: ReadonlyMap<number, Route> = new Map(
  [
    route(produceApi, produce),
    route(fetchApi, fetch, { inTurn: true }),
    route(listOffsetsApi, listOffsets),
    route(metadataApi, metadata),
    route(findCoordinatorApi, findCoordinator),
    route(apiVersionsApi, apiVersions),
    route(createTopicsApi, createTopics),
    route(deleteTopicsApi, deleteTopics),
    route(deleteRecordsApi, deleteRecords),
    route(initProducerIdApi, initProducerId),
    route(offsetForLeaderEpochApi, offsetForLeaderEpoch),
    route(describeLogDirsApi, describeLogDirs),
    route(describeQuorumApi, describeQuorum),
    route(describeClusterApi, describeCluster),
  ].map((it) => [it.api.key, it]),
);

/** Undefined: the API is not served. */
export function routeFor(api: AnyApi): Route | undefined {
  return ROUTES.get(api.key);
}

/** Every API of the table, for ApiVersions. */
export const SERVED_APIS: readonly AnyApi[] = [...ROUTES.values()].map(({ api }) => api);
