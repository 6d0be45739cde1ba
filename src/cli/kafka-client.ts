// From `--server` to a Kafka client: AdminService tells where the brokers' Kafka listeners are.
import { ClientError } from '../client/client-error.ts';
import { ClusterClient } from '../client/cluster.ts';
import type { TopicMetadata } from '../client/metadata-cache.ts';
import { loadCodecs } from '../codec/compression.ts';
import { AdminServiceDefinition } from '../gen/kvorum/v1/admin.ts';
import { StartError } from '../server/start-error.ts';
import { withAdmin } from './admin-client.ts';
import type { ServerOption } from './common-options.ts';

export async function withKafka<T>(option: ServerOption, work: (cluster: ClusterClient) => Promise<T>): Promise<T> {
  return withAdmin(option, async ({ env, read }) => {
    const { brokers } = await read(AdminServiceDefinition.methods.describeCluster, {});
    // A broker names its Kafka listeners first.
    const bootstrap = brokers.flatMap(({ fenced, endpoints }) => (fenced ? [] : endpoints.slice(0, 1)));
    if (bootstrap.length === 0)
      throw new StartError('no broker of the cluster is active: start one, or wait until it is unfenced');
    await loadCodecs();
    const cluster = new ClusterClient(env, { bootstrap, clientId: 'kvorum-cli' });
    try {
      return await work(cluster);
    } finally {
      cluster.close();
    }
  });
}

/** A topic that was just created may be news to a broker for so long; one that is unknown then does not exist. */
const TOPIC_TIMEOUT_MS = 3000;

/** The topic, which must exist: nothing is created by mistyping a name. */
export async function existingTopic(cluster: ClusterClient, name: string): Promise<TopicMetadata> {
  try {
    return await cluster.topic(name, TOPIC_TIMEOUT_MS);
  } catch (error) {
    if (error instanceof ClientError && error.kafkaError === 'UNKNOWN_TOPIC_OR_PARTITION') {
      throw new StartError(
        `there is no topic '${name}': kvorum topic create makes one, kvorum topic list shows all`,
        error,
      );
    }
    throw error;
  }
}
