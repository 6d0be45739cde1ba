// Whose configs a command is about, as options say it and as people read it.
import type { ConfigResource } from '../gen/kvorum/v1/admin.ts';
import { ConfigSource } from '../gen/kvorum/v1/admin.ts';
import { ConfigScope } from '../gen/kvorum/v1/metadata.ts';
import { UsageError } from './failure.ts';
import type { WhoseConfigs } from './options.ts';

export function resourcesOf({ topic = [], broker = [], allBrokers }: WhoseConfigs): ConfigResource[] {
  const resources = [
    ...topic.map((name): ConfigResource => ({ scope: ConfigScope.TOPIC, name })),
    ...broker.map((id): ConfigResource => ({ scope: ConfigScope.BROKER, name: String(id) })),
    ...(allBrokers === true ? [{ scope: ConfigScope.BROKER, name: '' }] : []),
  ];
  if (resources.length > 0) return resources;
  throw new UsageError('say whose configs: --topic <name>, --broker <id> or --all-brokers');
}

/** `topic orders`, `broker 4`, `all brokers`. */
export function resourceText(resource: ConfigResource | undefined): string {
  if (resource?.scope === ConfigScope.TOPIC) return `topic ${resource.name}`;
  if (resource?.scope !== ConfigScope.BROKER) return 'unknown resource';
  return resource.name === '' ? 'all brokers' : `broker ${resource.name}`;
}

/** For programs: enums by their names. */
export function plainResource(resource: ConfigResource | undefined): object {
  const scope = resource?.scope === ConfigScope.TOPIC ? 'topic' : 'broker';
  return { scope, name: resource?.name ?? '' };
}

/** Where a value comes from, for people and programs. */
export function sourceText(source: ConfigSource): string {
  switch (source) {
    case ConfigSource.TOPIC:
      return 'topic';
    case ConfigSource.BROKER:
      return 'broker';
    case ConfigSource.CLUSTER_DEFAULT:
      return 'all brokers';
    case ConfigSource.FILE:
      return 'file';
    case ConfigSource.DEFAULT:
      return 'default';
    default:
      return 'unknown';
  }
}
