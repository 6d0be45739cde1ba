// `kvorum config describe`.
import type { ConfigEntry, ResourceDescription } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition, ConfigSource } from '../../gen/kvorum/v1/admin.ts';
import { withAdmin } from '../admin-client.ts';
import { plainResource, resourcesOf, resourceText, sourceText } from '../config-resources.ts';
import { sayFailures } from '../items.ts';
import type { DescribeConfigOptions } from '../options.ts';
import type { Column } from '../output.ts';
import { columns, print } from '../output.ts';

export async function describeConfigs(keys: string[], options: DescribeConfigOptions): Promise<void> {
  const request = { resources: resourcesOf(options), keys };
  const { describeConfigs: describe } = AdminServiceDefinition.methods;
  const answer = await withAdmin(options, (admin) => admin.read(describe, request));
  const showsAll = options.all === true || keys.length > 0;
  const resources = answer.resources.map((it) => ({ ...it, entries: it.entries.filter(chosen(showsAll)) }));
  await print(options.format, { ...answer, resources: resources.map(plainDescription) }, (wide) =>
    resources
      .filter(({ error }) => error === undefined)
      .map((it) => section(it, wide))
      .join('\n\n'),
  );
  sayFailures(
    options.format,
    answer.resources.map(({ resource, error }) => ({ name: resourceText(resource), error })),
  );
}

function chosen(all: boolean): (entry: ConfigEntry) => boolean {
  return ({ source }) => all || source !== ConfigSource.DEFAULT;
}

function section({ resource, entries, note }: ResourceDescription, wide: boolean): string {
  const name = resourceText(resource);
  const shown =
    entries.length === 0
      ? `${name}: nothing is set, every default holds (--all shows them)`
      : `${name}\n${columns(wide, COLUMNS, entries)}`;
  return note === undefined ? shown : `${shown}\n(${note})`;
}

/** An empty value is a value. */
const shown = (value: string): string => (value === '' ? "''" : value);

const COLUMNS: readonly Column<ConfigEntry>[] = [
  { head: 'KEY', cell: ({ key }) => key },
  { head: 'VALUE', cell: ({ value }) => shown(value) },
  { head: 'FROM', cell: ({ source }) => sourceText(source) },
  { head: 'TYPE', cell: ({ type }) => type, wide: true },
  { head: 'AT RUN TIME', cell: ({ readOnly }) => (readOnly ? 'fixed' : 'changeable'), wide: true },
  {
    head: 'ELSE',
    cell: ({ synonyms }) =>
      synonyms
        .slice(1)
        .map(({ source, key, value }) => `${sourceText(source)}: ${key}=${value}`)
        .join('; ') || '-',
    wide: true,
  },
  { head: 'WHAT IT IS', cell: ({ documentation }) => documentation, wide: true },
];

function plainDescription({ resource, error, entries, note }: ResourceDescription): object {
  return {
    resource: plainResource(resource),
    error,
    note,
    entries: entries.map((entry) => ({
      ...entry,
      source: sourceText(entry.source),
      synonyms: entry.synonyms.map((synonym) => ({ ...synonym, source: sourceText(synonym.source) })),
    })),
  };
}
