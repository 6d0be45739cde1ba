// The partition folders that Kafka's own log classes wrote (test/golden/log), and what Kafka reads in them.
import { readFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding } from '../../../src/log/inspect/finding.ts';
import { inspect, inspectable } from '../../../src/log/inspect/inspect.ts';
import { createDisk } from '../../../src/node/disk.ts';
import { tempFolder } from './fixture.ts';

const GOLDEN = join(import.meta.dirname, '../../golden/log');

export interface GoldenRecord {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly (readonly [string, string | null])[];
}

export interface GoldenBatch {
  readonly segment: number;
  readonly position: number;
  readonly sizeInBytes: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly recordsCount: number;
  readonly leaderEpoch: number;
  readonly crc: number;
  readonly codec: string;
  readonly timestampType: string;
  readonly maxTimestamp: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly lastSequence: number;
  readonly isTransactional: boolean;
  readonly isControl: boolean;
  readonly deleteHorizonMs?: number;
  readonly records: readonly GoldenRecord[];
}

export function golden(...names: string[]): string {
  return join(GOLDEN, ...names);
}

/** As Kafka reads them: `mixed` or `compacted`. */
export function goldenBatches(name: 'mixed' | 'compacted'): GoldenBatch[] {
  const lines = readFileSync(golden(`${name}.ndjson`), 'utf8')
    .trimEnd()
    .split('\n');
  return lines.map((line) => JSON.parse(line) as GoldenBatch);
}

/** A copy that may be changed. */
export async function goldenCopy(name: string): Promise<string> {
  const folder = join(await tempFolder(), name);
  await cp(golden(name), folder, { recursive: true });
  return folder;
}

/** Everything that is found in a file or folder. */
export async function findings(path: string, records = true): Promise<Finding[]> {
  const disk = createDisk();
  const found: Finding[] = [];
  for await (const finding of inspect(disk, await inspectable(disk, path), { records })) {
    // The bytes of a record are valid only until the next finding.
    if (finding.type !== 'record') found.push(finding);
    else {
      const copy = (bytes: Buffer | null): Buffer | null => (bytes === null ? null : Buffer.from(bytes));
      const headers = finding.headers.map(({ key, value }) => ({ key, value: copy(value) }));
      found.push({ ...finding, key: copy(finding.key), value: copy(finding.value), headers });
    }
  }
  return found;
}

export function problemsIn(found: readonly Finding[]): string[] {
  return found.flatMap((it) => (it.type === 'problem' ? [`${it.position}: ${it.problem}`] : []));
}

export function ofType<Type extends Finding['type']>(
  found: readonly Finding[],
  type: Type,
): Extract<Finding, { type: Type }>[] {
  return found.filter((it): it is Extract<Finding, { type: Type }> => it.type === type);
}
