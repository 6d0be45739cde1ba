// `kvorum start`: one node, one process.
import { loadCodecs } from '../../codec/compression.ts';
import { createEnv } from '../../node/env.ts';
import { startNode } from '../../server/node.ts';
import type { StartOptions } from '../options.ts';
import { readConfig } from '../read-config.ts';
import { exitFatally, exitOnBugs, stopSignal } from '../run-nodes.ts';

export async function start(options: StartOptions): Promise<void> {
  const { config, warnings } = await readConfig(options.config);
  const env = createEnv({ level: config.values['log.level'] });
  const logger = env.logger.child({ node: config.nodeId });
  for (const warning of warnings) logger.warn('configuration', { warning });
  exitOnBugs(logger);
  const stop = stopSignal();
  await loadCodecs();
  const starting = startNode({ ...env, logger }, config, {
    fatal: (reason, cause) => exitFatally(logger, reason, cause),
  });
  const node = await Promise.race([starting, stop.then(() => undefined)]);
  // Nobody is served yet: there is nothing to leave in good order.
  if (node === undefined) process.exit(0);
  logger.info('node-started', {
    roles: config.values['process.roles'],
    clusterId: node.clusterId,
    ...node.addresses,
  });
  const signal = await stop;
  logger.info('node-stopping', { signal });
  await node.stop();
  logger.info('node-stopped');
}
