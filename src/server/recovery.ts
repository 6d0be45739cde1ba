// From a node's configuration to the recovery of its metadata folder, with the refusals an operator can act on.
import type { NodeConfig } from '../config/node-config.ts';
import type { Env } from '../env/env.ts';
import { endpointOf } from '../quorum/peers.ts';
import type { RecoveryFolder } from '../quorum/recover.ts';
import { Recovery } from '../quorum/recover.ts';
import { controllerEndpoint } from './listeners.ts';
import { StartError } from './start-error.ts';
import { startErrorOf, verifyStorage } from './storage.ts';

/** Opens the folder of a stopped controller; whoever asks closes it. StartError with the reason and what to do. */
export async function openRecovery(
  env: Env,
  config: NodeConfig,
): Promise<{ readonly folder: RecoveryFolder; readonly recovery: Recovery }> {
  if (!config.isController) {
    throw new StartError(
      `node ${config.nodeId} is no controller (process.roles): its metadata log follows that of the controllers and never votes; recover a controller`,
    );
  }
  const { clusterId, directoryId } = await verifyStorage(env, config);
  const configured = config.voters.find(({ id }) => id === config.nodeId);
  const endpoint = configured === undefined ? controllerEndpoint(config, []) : endpointOf(configured.address);
  const folder = {
    directory: config.metadataLogDir,
    clusterId,
    survivor: { id: config.nodeId, directoryId, endpoint },
  };
  try {
    return { folder, recovery: await Recovery.open(env, folder) };
  } catch (error) {
    throw startErrorOf(error, `${config.metadataLogDir} cannot be recovered from`);
  }
}
