// `kvorum/testing`: a real cluster inside your own test process.
//
//   const cluster = await startCluster({ config: { 'num.partitions': '3' } });
//   const kafka = new Kafka({ brokers: cluster.bootstrap });
//   …
//   await cluster.stop();
import type { LocalCluster, LocalClusterOptions } from '../node/local-cluster.ts';
import { startLocalCluster } from '../node/local-cluster.ts';

export type ClusterOptions = LocalClusterOptions;
export type Cluster = LocalCluster;

/**
 * Starts controllers and brokers on free loopback ports and resolves once clients are served. Without `dataDir` everything
 * lies in a temporary folder that `stop` removes.
 */
export function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  return startLocalCluster(options);
}
