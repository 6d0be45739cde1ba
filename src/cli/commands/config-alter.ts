// `kvorum config set|append|subtract|reset`.
import type { ConfigAlteration } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition, ConfigOperation } from '../../gen/kvorum/v1/admin.ts';
import { changeFields, withAdmin } from '../admin-client.ts';
import { inBatches, itemsPerCall } from '../batches.ts';
import { keyValues } from '../common-options.ts';
import { plainResource, resourcesOf, resourceText } from '../config-resources.ts';
import { UsageError } from '../failure.ts';
import { reportItems } from '../items.ts';
import type { AlterConfigOptions } from '../options.ts';

export function setConfigs(pairs: string[], options: AlterConfigOptions): Promise<void> {
  return alter(withValues('config set', pairs, ConfigOperation.SET), options);
}

export function appendToConfigs(pairs: string[], options: AlterConfigOptions): Promise<void> {
  return alter(withValues('config append', pairs, ConfigOperation.APPEND), options);
}

export function subtractFromConfigs(pairs: string[], options: AlterConfigOptions): Promise<void> {
  return alter(withValues('config subtract', pairs, ConfigOperation.SUBTRACT), options);
}

export async function resetConfigs(keys: string[], options: AlterConfigOptions): Promise<void> {
  const pair = keys.find((key) => key.includes('='));
  if (pair !== undefined) throw new UsageError(`config reset takes keys without values, not '${pair}'`);
  const alterations = [...new Set(keys)].map((key) => ({ key, operation: ConfigOperation.RESET, value: '' }));
  await alter(alterations, options);
}

function withValues(command: string, pairs: readonly string[], operation: ConfigOperation): ConfigAlteration[] {
  return [...keyValues(command, pairs)].map(([key, value]) => ({ key, operation, value }));
}

async function alter(alterations: ConfigAlteration[], options: AlterConfigOptions): Promise<void> {
  const resources = resourcesOf(options).map((resource) => ({ resource, alterations }));
  const { alterConfigs } = AdminServiceDefinition.methods;
  const { answers, failure } = await withAdmin(options, (admin) =>
    inBatches(
      resources,
      (batch) => admin.command(alterConfigs, { resources: batch, ...changeFields(options) }),
      itemsPerCall(alterations.length),
    ),
  );
  const altered = answers.flatMap((answer) => answer.resources);
  if (answers.length > 0) {
    const plain = altered.map(({ resource, error }) => ({ resource: plainResource(resource), error }));
    await reportItems(
      options.format,
      { resources: plain, metadataEndOffset: answers.at(-1)?.metadataEndOffset ?? -1 },
      altered.map(({ resource, error }) => ({
        name: resourceText(resource),
        error,
        text: options.dryRun === true ? 'could be changed' : 'changed',
      })),
    );
  }
  if (failure !== undefined) throw failure;
}
