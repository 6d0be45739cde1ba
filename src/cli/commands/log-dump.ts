// `kvorum log dump`: what is in the files of a log directory, and whether it is right.

import { loadCodecs } from '../../codec/compression.ts';
import type { Disk } from '../../env/disk.ts';
import { isEnvError } from '../../env/error.ts';
import type { Finding } from '../../log/inspect/finding.ts';
import { inspect, inspectable } from '../../log/inspect/inspect.ts';
import { createEnv } from '../../node/env.ts';
import { startErrorOf } from '../../server/storage.ts';
import { UsageError } from '../failure.ts';
import type { BytesText } from '../finding-text.ts';
import { FindingText, findingObject } from '../finding-text.ts';
import type { LogDumpOptions } from '../options.ts';
import { shower } from '../output.ts';

const AS_TEXT: Readonly<Record<LogDumpOptions['decode'], BytesText>> = {
  text: (bytes) => bytes.toString('utf8'),
  hex: (bytes) => bytes.toString('hex'),
  base64: (bytes) => bytes.toString('base64'),
};

/** With `--check`. */
const VERDICTS: ReadonlySet<Finding['type']> = new Set(['problem', 'summary']);

export async function dumpLog(files: readonly string[], options: LogDumpOptions): Promise<void> {
  const { disk } = createEnv({ level: 'error' });
  const show = await shower(options.format);
  const bytesText = AS_TEXT[options.decode];
  const text = new FindingText(bytesText, options.check === true);
  try {
    const paths = await filesIn(disk, files);
    await loadCodecs();
    for await (const finding of inspect(disk, paths, { records: options.records === true })) {
      if (finding.type === 'problem') process.exitCode = 1;
      if (options.check === true && !VERDICTS.has(finding.type)) continue;
      const isText = options.format === 'text' || options.format === 'wide';
      if (isText && finding.type === 'problem') console.error(text.of(finding, false));
      else show(findingObject(finding, bytesText), (wide) => text.of(finding, wide));
    }
  } catch (error) {
    throw startErrorOf(error);
  }
}

async function filesIn(disk: Disk, given: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of given) {
    if (!(await disk.exists(path))) throw new UsageError(`${path} does not exist`);
    const paths = await filesOrNone(disk, path);
    if (paths.length > 0) found.push(...paths);
    else {
      throw new UsageError(
        `${path} is no file of a log, and no folder of such: give a segment, an index, a snapshot, a checkpoint or a folder of them`,
      );
    }
  }
  return found;
}

async function filesOrNone(disk: Disk, path: string): Promise<string[]> {
  try {
    return await inspectable(disk, path);
  } catch (error) {
    // A file of another name is no folder either: it is there, and cannot be listed.
    if (isEnvError(error, 'IO') || isEnvError(error, 'NOT_FOUND')) return [];
    throw error;
  }
}
