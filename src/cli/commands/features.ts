// `kvorum cluster features|upgrade`: the metadata level.
import type { NodeFeatures } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition } from '../../gen/kvorum/v1/admin.ts';
import { changeFields, withAdmin } from '../admin-client.ts';
import { reportItems } from '../items.ts';
import type { ListOptions, UpgradeOptions } from '../options.ts';
import type { Column } from '../output.ts';
import { columns, print } from '../output.ts';

const { describeFeatures: describe, updateFeatures: update } = AdminServiceDefinition.methods;

export async function describeFeatures(options: ListOptions): Promise<void> {
  const answer = await withAdmin(options, (admin) => admin.read(describe, {}));
  await print(options.format, answer, (wide) => {
    const { metadataLevel, minMetadataLevel, maxMetadataLevel, nodes } = answer;
    return `metadata level ${metadataLevel}; the node that answers can follow ${minMetadataLevel} to ${maxMetadataLevel}

${columns(wide, COLUMNS, nodes)}`;
  });
}

const COLUMNS: readonly Column<NodeFeatures>[] = [
  { head: 'NODE', cell: ({ nodeId }) => nodeId },
  { head: 'ROLE', cell: ({ role }) => role },
  {
    head: 'LEVELS',
    cell: ({ minMetadataLevel, maxMetadataLevel, unknownReason }) =>
      unknownReason === '' ? `${minMetadataLevel} to ${maxMetadataLevel}` : `unknown: ${unknownReason}`,
  },
];

export async function upgradeCluster(options: UpgradeOptions): Promise<void> {
  const request = { metadataLevel: options.level ?? 0, ...changeFields(options) };
  const answer = await withAdmin(options, (admin) =>
    request.validateOnly ? admin.read(update, request) : admin.change(update, request),
  );
  const { error, metadataLevel } = answer;
  const text = `${metadataLevel} ${request.validateOnly ? 'would be' : 'is'} in force`;
  await reportItems(options.format, answer, [{ name: 'metadata level', error, text }]);
}
