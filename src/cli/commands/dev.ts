// `kvorum dev`: a whole cluster in this process.
import { relative } from 'node:path';
import type { LocalCluster } from '../../node/local-cluster.ts';
import { startLocalCluster } from '../../node/local-cluster.ts';
import type { LogLevel } from '../../node/logger.ts';
import { createLogger } from '../../node/logger.ts';
import { keyValues } from '../common-options.ts';
import { UsageError } from '../failure.ts';
import type { DevOptions } from '../options.ts';
import { print } from '../output.ts';
import { exitFatally, exitOnBugs, stopSignal } from '../run-nodes.ts';

export async function dev(options: DevOptions): Promise<void> {
  const level = logLevelOf(options.logLevel);
  const logger = createLogger({ level });
  exitOnBugs(logger);
  const stop = stopSignal();
  const starting = startLocalCluster({
    controllers: options.controllers,
    brokers: options.brokers,
    ...(options.ephemeral === true ? {} : { dataDir: options.dataDir }),
    kafkaPort: options.kafkaPort,
    controllerPort: options.controllerPort,
    grpcPort: options.grpcPort,
    config: Object.fromEntries(keyValues('--config', options.config ?? [])),
    logLevel: level,
    onFatal: (nodeId, reason, cause) => exitFatally(logger, reason, cause, { node: nodeId }),
  });
  const cluster = await Promise.race([starting, stop.then(() => undefined)]);
  if (cluster === undefined) process.exit(0);
  const { bootstrap, grpc, controllers, dataDir } = cluster;
  await print(options.format, { bootstrap, grpc, controllers, dataDir }, () => greeting(cluster, options));
  await stop;
  if (options.format === 'text' || options.format === 'wide') console.log('stopping');
  await cluster.stop();
}

function logLevelOf(text: string): LogLevel {
  const level = (['debug', 'info', 'warn', 'error'] as const).find((it) => it === text);
  if (level === undefined) throw new UsageError(`--log-level takes debug, info, warn or error, not '${text}'`);
  return level;
}

/** How this program was called, for commands to copy. */
function program(): string {
  const script = process.argv[1] ?? 'kvorum';
  return script.endsWith('.cjs') ? `node ${relative(process.cwd(), script)}` : 'kvorum';
}

function greeting(cluster: LocalCluster, options: DevOptions): string {
  const { bootstrap, grpc, dataDir, clusterId } = cluster;
  const kvorum = program();
  const server = grpc[0] === '127.0.0.1:9094' ? '' : ` --server ${grpc[0]}`;
  return `Kvorum: ${options.controllers} controllers and ${options.brokers} brokers, cluster ${clusterId}
  Kafka clients   ${bootstrap.join(',')}
  gRPC            ${grpc.join(',')}
  data            ${dataDir}${options.ephemeral === true ? ' (removed at the end)' : ''}

Try:
  ${kvorum} topic create hello --partitions 3${server}
  echo "hello world" | ${kvorum} produce hello${server}
  ${kvorum} consume hello --from beginning --exit${server}

Ctrl-C stops it.`;
}
