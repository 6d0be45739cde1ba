// The small text files: checkpoints of offsets and of leader epochs (a version, a count, lines), partition.metadata
// (`key: value`) and meta.properties. Positions of problems are line numbers, from 1.
import { isUuid } from '../../base/uuid.ts';
import { parseProperties } from '../../config/properties.ts';
import type { Content } from './finding.ts';
import { problemAt } from './finding.ts';

type Contents = Generator<Content, void, undefined>;

/** Any whole number that an offset can be. */
const NUMBER = /^\d{1,16}$/;

export function* inspectEpochs(text: string): Contents {
  let [epoch, startOffset] = [-1, -1];
  for (const { number, line } of yield* checkpointLines(text)) {
    const fields = line.split(' ');
    if (fields.length !== 2 || !fields.every((field) => NUMBER.test(field))) {
      yield problemAt(number, `'${shown(line)}' is no 'epoch startOffset'`);
      continue;
    }
    const [nextEpoch, nextOffset] = fields.map(Number) as [number, number];
    yield { type: 'leaderEpoch', epoch: nextEpoch, startOffset: nextOffset };
    if (nextEpoch <= epoch || nextOffset <= startOffset) {
      yield problemAt(number, `epoch ${nextEpoch} from ${nextOffset} on after epoch ${epoch} from ${startOffset} on`);
    }
    [epoch, startOffset] = [nextEpoch, nextOffset];
  }
}

export function* inspectOffsets(text: string): Contents {
  for (const { number, line } of yield* checkpointLines(text)) {
    const [topic, partition, offset, ...more] = line.split(' ') as [string, ...string[]];
    if (more.length > 0 || !NUMBER.test(partition ?? '') || !NUMBER.test(offset ?? '')) {
      yield problemAt(number, `'${shown(line)}' is no 'topic partition offset'`);
    } else yield { type: 'checkpoint', topic, partition: Number(partition), offset: Number(offset) };
  }
}

interface Line {
  readonly number: number;
  readonly line: string;
}

/** The lines after version and count. */
function* checkpointLines(text: string): Generator<Content, readonly Line[], undefined> {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  else yield problemAt(lines.length, 'the last line has no end');
  const [version, count, ...rest] = lines;
  if (version !== '0') {
    yield problemAt(1, `version '${shown(version ?? '')}' instead of 0`);
    return [];
  }
  if (count !== String(rest.length))
    yield problemAt(2, `count '${shown(count ?? '')}', and ${rest.length} lines follow`);
  return rest.map((line, i) => ({ number: i + 3, line }));
}

export function* inspectPartitionMetadata(text: string): Contents {
  const found = new Map<string, string>();
  for (const [i, line] of text.trimEnd().split('\n').entries()) {
    const match = /^([a-z_]+): (\S+)$/.exec(line);
    if (match === null) {
      yield problemAt(i + 1, `'${shown(line)}' is no 'key: value'`);
      continue;
    }
    const [, key, value] = match as unknown as [string, string, string];
    found.set(key, value);
    yield { type: 'property', key, value };
  }
  if (found.get('version') !== '0') yield problemAt(1, `version '${found.get('version') ?? ''}' instead of 0`);
  if (!isUuid(found.get('topic_id') ?? '')) yield problemAt(2, `topic_id is no id of 22 characters of base64url`);
}

const META_KEYS: Readonly<Record<string, (value: string) => boolean>> = {
  version: (value) => value === '1',
  'cluster.id': (value) => value !== '',
  'node.id': (value) => /^\d{1,10}$/.test(value),
  'directory.id': isUuid,
};

export function* inspectMetaProperties(text: string): Contents {
  let properties: ReadonlyMap<string, string>;
  try {
    properties = parseProperties(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    yield problemAt(1, error.message);
    return;
  }
  for (const [key, value] of properties) yield { type: 'property', key, value };
  for (const [key, isRight] of Object.entries(META_KEYS)) {
    const value = properties.get(key);
    if (value === undefined) yield problemAt(1, `${key} is missing`);
    else if (!isRight(value)) yield problemAt(1, `${key} is '${shown(value)}'`);
  }
}

/** Of a damaged line, what fits into one. */
function shown(line: string): string {
  const clean = line.replace(/\p{Cc}/gu, '?');
  return clean.length > 60 ? `${clean.slice(0, 60)}…` : clean;
}
