// `kvorum metadata diff`: what differs between the metadata at two offsets.
import type { DiffEntry } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition as Admin } from '../../gen/kvorum/v1/admin.ts';
import { withAdmin } from '../admin-client.ts';
import { UsageError } from '../failure.ts';
import type { ListOptions } from '../options.ts';
import { shower } from '../output.ts';

export async function showDifference(from: string, to: string | undefined, options: ListOptions): Promise<void> {
  const request = { fromOffset: offsetOf('FROM', from), toOffset: to === undefined ? -1 : offsetOf('TO', to) };
  const show = await shower(options.format);
  await withAdmin(options, async ({ stream }) => {
    let count = 0;
    for await (const { entries } of stream(Admin.methods.diffMetadata, request)) {
      for (const entry of entries) show(entry, () => diffText(entry));
      count += entries.length;
    }
    if (count === 0) console.error('nothing differs');
  });
}

function offsetOf(name: string, text: string): number {
  if (text === 'now') return -1;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new UsageError(`${name} takes an offset of the metadata log, or now, not '${text}'`);
}

/** `+ topic orders: …`, `- topic orders: …`, or both for what changed. */
export function diffText({ subject, before, after }: DiffEntry): string {
  const lines = [
    ...(before === undefined ? [] : [`- ${subject}: ${before}`]),
    ...(after === undefined ? [] : [`+ ${subject}: ${after}`]),
  ];
  return lines.join('\n');
}
