// Changing configs of topics, of brokers, and of all brokers (C-10): each resource of a request whole or not at all, all of them in
// one batch. Another min.insync.replicas ends ELRs in the same batch (C-5.5).
import type { Uuid } from '../../base/uuid.ts';
import { clipped } from '../../config/key.ts';
import type {
  AlterConfigsRequest,
  AlterConfigsResponse,
  AlteredResource,
  ItemError,
  ResourceAlteration,
} from '../../gen/kvorum/v1/admin.ts';
import type { ConfigScope, MetadataRecord } from '../../gen/kvorum/v1/metadata.ts';
import { itemError } from '../../metadata/errors.ts';
import type { ConfigEntity, MetadataImage } from '../../metadata/image.ts';
import { configsOf } from '../../metadata/image.ts';
import { metadataRecord } from '../../metadata/record.ts';
import type { ConfigTarget } from './config-target.ts';
import { configTarget } from './config-target.ts';
import { alteredValue, brokerConflict, topicConflict } from './config-values.ts';
import type { Decision } from './decision.ts';
import { endElrs, MIN_ISR_KEY } from './min-isr.ts';

/** Keys that one request can change, and partitions whose ELR it can end (C-0.6). */
export const MAX_CHANGES_PER_REQUEST = 10_000;

/** What was decided so far: the configs as they will be, and the records that make them so. */
interface Work {
  configs: MetadataImage['configs'];
  readonly records: MetadataRecord[];
  changesLeft: number;
  /** What follows for ELRs, by topic. */
  readonly elrs: Map<Uuid, readonly MetadataRecord[]>;
  elrCount: number;
}

/** `value` undefined: the key is removed. */
interface ConfigChange {
  readonly key: string;
  readonly value: string | undefined;
}

export function decideAlterConfigs(image: MetadataImage, request: AlterConfigsRequest): Decision<AlterConfigsResponse> {
  const targets = request.resources.map(({ resource }) => configTarget(image, resource));
  const timesNamed = new Map<ConfigEntity, number>();
  for (const { entity } of targets) {
    if (entity !== undefined) timesNamed.set(entity, (timesNamed.get(entity) ?? 0) + 1);
  }
  const elrs = { elrs: new Map(), elrCount: 0 };
  const work: Work = { configs: image.configs, records: [], ...elrs, changesLeft: MAX_CHANGES_PER_REQUEST };
  const resources = request.resources.map((alteration, i): AlteredResource => {
    const { resource } = alteration;
    const target = targets[i];
    if (target?.entity === undefined) return { resource, error: target?.error };
    if ((timesNamed.get(target.entity) ?? 0) > 1) {
      return { resource, error: itemError('INVALID_REQUEST', `the request names ${target.text} more than once`) };
    }
    return { resource, error: alter(work, image, target, alteration) };
  });
  const records = request.validateOnly ? [] : [...work.records, ...[...work.elrs.values()].flat()];
  return { records, respond: (after) => ({ resources, metadataEndOffset: after.endOffset }) };
}

/** Adds what the resource needs to the work, or nothing at all: then why not. */
function alter(
  work: Work,
  image: MetadataImage,
  target: ConfigTarget,
  { alterations }: ResourceAlteration,
): ItemError | undefined {
  if (alterations.length > work.changesLeft) return tooMuch(`change ${MAX_CHANGES_PER_REQUEST} keys`);
  const present = configsOf(image, target.entity);
  const seen = new Set<string>();
  const changes: ConfigChange[] = [];
  for (const alteration of alterations) {
    const { key } = alteration;
    if (seen.has(key)) return itemError('INVALID_REQUEST', `the request alters ${clipped(key)} more than once`);
    seen.add(key);
    const altered = alteredValue(image, target, alteration);
    if (!altered.ok) return itemError('INVALID_CONFIG', altered.error);
    if (altered.value !== present.get(key)) changes.push({ key, value: altered.value });
  }
  if (changes.length === 0) return undefined;
  const next = changes.reduce(
    (map, { key, value }) => (value === undefined ? map.delete(key) : map.set(key, value)),
    present,
  );
  const conflict = target.topic === undefined ? brokerConflict(image, target.name, next) : topicConflict(image, next);
  if (conflict !== undefined) return itemError('INVALID_CONFIG', conflict);
  const configs = work.configs.set(target.entity, next);
  if (changes.some(({ key }) => key === MIN_ISR_KEY) && !endsElrs(work, image, configs, target)) {
    return tooMuch(`end the ELRs of ${MAX_CHANGES_PER_REQUEST} partitions, as another min.insync.replicas does`);
  }
  work.configs = configs;
  work.changesLeft -= alterations.length;
  for (const change of changes) work.records.push(configRecord(target, change));
  return undefined;
}

/** Takes into the work what follows for all topics where the default changes, else for one; false: that is too much. */
function endsElrs(
  work: Work,
  image: MetadataImage,
  configs: MetadataImage['configs'],
  { topic }: ConfigTarget,
): boolean {
  const ended = new Map<Uuid, readonly MetadataRecord[]>();
  let count = work.elrCount;
  for (const each of topic === undefined ? image.topics.values() : [topic]) {
    const records = endElrs(each, image, { configs });
    const before = work.elrs.get(each.topicId)?.length ?? 0;
    if (records.length + before === 0) continue;
    count += records.length - before;
    ended.set(each.topicId, records);
  }
  if (count > MAX_CHANGES_PER_REQUEST) return false;
  for (const [topicId, records] of ended) work.elrs.set(topicId, records);
  work.elrCount = count;
  return true;
}

function tooMuch(what: string): ItemError {
  return itemError('POLICY_VIOLATION', `a request can ${what} at most: use several, of fewer resources each`);
}

function configRecord({ scope, name }: { scope: ConfigScope; name: string }, change: ConfigChange): MetadataRecord {
  const { key, value } = change;
  return metadataRecord({ $case: 'config', config: { scope, entity: name, key, value } });
}
