// A node's configuration file, or every error in it at once.
import { readFile } from 'node:fs/promises';
import type { NodeConfig } from '../config/node-config.ts';
import { parseNodeConfig } from '../config/node-config.ts';
import { StartError } from '../server/start-error.ts';

export async function readConfig(path: string): Promise<{ config: NodeConfig; warnings: readonly string[] }> {
  const content = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new StartError(`the configuration cannot be read: ${(error as Error).message}`, error);
  });
  const result = parseNodeConfig(content);
  if (!result.ok) throw new StartError(`${path} is not a valid configuration:\n  ${result.errors.join('\n  ')}`);
  return result;
}
