// What a new cluster takes over from the file of its first controller.
import type { NodeConfig } from '../../config/node-config.ts';
import { COMMITTED_KEYS } from '../../config/node-keys.ts';
import type { MetadataRecord } from '../../gen/kvorum/v1/metadata.ts';
import { ConfigScope } from '../../gen/kvorum/v1/metadata.ts';
import { metadataRecord } from '../../metadata/record.ts';

/**
 * C-10.1: keys on which controllers and leaders must agree, where the file of the controller that founds a cluster sets them: to be
 * written for all brokers in the batch of the cluster's first record. No file counts for them any more after that.
 */
export function bootstrapConfigs({ values, setKeys }: Pick<NodeConfig, 'values' | 'setKeys'>): MetadataRecord[] {
  return COMMITTED_KEYS.filter((key) => setKeys.has(key)).map((key) =>
    metadataRecord({
      $case: 'config',
      config: { scope: ConfigScope.BROKER, entity: '', key, value: String(values[key]) },
    }),
  );
}
