// `kvorum format`, `kvorum random-id`.
import { isUuid } from '../../base/uuid.ts';
import { randomUuid } from '../../env/random.ts';
import { createEnv } from '../../node/env.ts';
import { foldersOf, formatStorage } from '../../server/storage.ts';
import { UsageError } from '../failure.ts';
import type { FormatStorageOptions } from '../options.ts';
import { readConfig } from '../read-config.ts';

export async function format(options: FormatStorageOptions): Promise<void> {
  if (!isUuid(options.clusterId)) {
    throw new UsageError(
      `--cluster-id ${options.clusterId} is not an id of 22 base64url characters: kvorum random-id prints one`,
    );
  }
  const { config } = await readConfig(options.config);
  const formatted = await formatStorage(createEnv({ level: 'warn' }), config, options.clusterId);
  for (const folder of foldersOf(config)) {
    const what = formatted.includes(folder) ? 'formatted' : 'was formatted before, left as it is';
    console.log(`${folder}: ${what} (node ${config.nodeId}, cluster ${options.clusterId})`);
  }
}

export function printRandomId(): void {
  console.log(randomUuid(createEnv().random, 'cluster'));
}
