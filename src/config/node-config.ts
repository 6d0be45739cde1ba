// A node's configuration from its server.properties text: every error at once, unused Kafka keys in one warning.
import type { NodeId } from '../base/ids.ts';
import { ALIASES, aliasValue, isAlias } from './aliases.ts';
import { isUnusedKafkaKey, unusedKafkaKeys } from './kafka-keys.ts';
import { parseValue } from './key.ts';
import { lagConflict } from './lag-conflict.ts';
import type { HostPort, ListenerConfig, Problems } from './listeners.ts';
import { listOf, parseHostPort, parseListeners, parseVoters } from './listeners.ts';
import { nearestHint } from './nearest.ts';
import type { NodeKeyName, NodeValues } from './node-keys.ts';
import { isNodeKey, NODE_KEYS } from './node-keys.ts';
import { parseProperties } from './properties.ts';
import { TIMING_PROFILES } from './timing.ts';

export interface NodeConfig {
  readonly nodeId: NodeId;
  readonly isController: boolean;
  readonly isBroker: boolean;
  /** From controller.quorum.voters; empty where controller.quorum.bootstrap.servers is used. */
  readonly voters: readonly { readonly id: NodeId; readonly address: HostPort }[];
  /** Controllers whose ids are asked for at start; empty where the voters are given. */
  readonly bootstrapServers: readonly HostPort[];
  readonly listeners: readonly ListenerConfig[];
  /** The Kafka listener that other brokers are sent to; undefined on a node that is no broker. */
  readonly interBrokerListener: string | undefined;
  /** At least one. */
  readonly logDirs: readonly string[];
  readonly metadataLogDir: string;
  readonly rack: string;
  readonly values: NodeValues;
  /** The keys that the file sets; the others are of its timing.profile, or have their defaults. */
  readonly setKeys: ReadonlySet<NodeKeyName>;
}

export type ConfigResult =
  | { readonly ok: true; readonly config: NodeConfig; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly errors: readonly string[] };

function readValues(
  entries: ReadonlyMap<string, string>,
  problems: Problems,
): { values: NodeValues; setKeys: Set<NodeKeyName> } {
  const values: Record<string, number | boolean | string> = {};
  for (const [name, key] of Object.entries(NODE_KEYS)) values[name] = key.default;
  const setKeys = new Set<NodeKeyName>();
  const unused: string[] = [];
  for (const [name, text] of entries) {
    if (isNodeKey(name)) {
      const parsed = parseValue(name, NODE_KEYS[name], text);
      if (parsed.ok) values[name] = parsed.value;
      else problems.errors.push(parsed.error);
      setKeys.add(name);
    } else if (isUnusedKafkaKey(name)) {
      unused.push(name);
    } else if (!isAlias(name)) {
      const hint = nearestHint(name, [...Object.keys(NODE_KEYS), ...Object.keys(ALIASES), ...unusedKafkaKeys()]);
      problems.errors.push(`${name} is not a key of Kvorum or Kafka${hint}`);
    }
  }
  if (unused.length > 0) {
    problems.warnings.push(`Kafka keys without use here, ignored: ${unused.sort().join(', ')}`);
  }
  const profile = TIMING_PROFILES[values['timing.profile'] as keyof typeof TIMING_PROFILES] ?? {};
  for (const [name, value] of Object.entries(profile)) if (isNodeKey(name) && !setKeys.has(name)) values[name] = value;
  readAliases(entries, values, setKeys, problems);
  return { values: values as NodeValues, setKeys };
}

/** What the file says under other names of keys that it does not set itself. */
function readAliases(
  entries: ReadonlyMap<string, string>,
  values: Record<string, number | boolean | string>,
  setKeys: Set<NodeKeyName>,
  problems: Problems,
): void {
  for (const name of Object.keys(ALIASES).filter(isAlias)) {
    const text = entries.get(name);
    if (text === undefined) continue;
    const parsed = aliasValue(name, text);
    if (!parsed.ok) {
      problems.errors.push(parsed.error);
      continue;
    }
    const unset = ALIASES[name].keys.filter((key) => !setKeys.has(key));
    if (unset.length === 0) problems.warnings.push(`${name} has no effect: ${ALIASES[name].keys[0]} is set too`);
    for (const key of unset) {
      values[key] = parsed.value;
      setKeys.add(key);
    }
  }
}

function readRoles(text: string, problems: Problems): { isController: boolean; isBroker: boolean } {
  const roles = listOf(text);
  const strange = roles.filter((role) => role !== 'controller' && role !== 'broker');
  if (roles.length === 0 || strange.length > 0) {
    problems.errors.push(
      `process.roles=${text} is not valid: it takes controller, broker, or controller,broker (ZooKeeper mode does not exist)`,
    );
  }
  return { isController: roles.includes('controller'), isBroker: roles.includes('broker') };
}

function readBootstrapServers(text: string, problems: Problems): HostPort[] {
  return listOf(text).flatMap((part) => {
    const address = parseHostPort(part);
    if (address !== undefined && address.host !== '') return [address];
    problems.errors.push(`controller.quorum.bootstrap.servers: '${part}' is not host:port`);
    return [];
  });
}

/** What must fit together beyond single keys. */
function crossCheck(config: NodeConfig, problems: Problems): void {
  const { errors } = problems;
  const { nodeId, isController, isBroker, voters, bootstrapServers, listeners } = config;
  if (nodeId < 0) errors.push('node.id is missing: give this node a number that no other node of the cluster has');
  if (voters.length > 0 && bootstrapServers.length > 0) {
    errors.push('set controller.quorum.voters or controller.quorum.bootstrap.servers, not both');
  }
  if (voters.length + bootstrapServers.length === 0) {
    errors.push('controller.quorum.voters is missing: list the controllers, for example 1@127.0.0.1:9093');
  }
  const isVoter = voters.some((voter) => voter.id === nodeId);
  if (isController && voters.length > 0 && !isVoter) {
    errors.push(`node.id ${nodeId} is a controller but not in controller.quorum.voters`);
  }
  if (!isController && isVoter)
    errors.push(`node.id ${nodeId} is in controller.quorum.voters but process.roles lacks controller`);
  if (isController && !listeners.some((it) => it.kind === 'controller')) {
    errors.push(
      'a controller needs a listener named in controller.listener.names, for example CONTROLLER://127.0.0.1:9093',
    );
  }
  if (isBroker && !listeners.some((it) => it.kind === 'kafka')) {
    errors.push('a broker needs a Kafka listener, for example PLAINTEXT://127.0.0.1:9092');
  }
  if (!isBroker && listeners.some((it) => it.kind === 'kafka')) {
    errors.push('a controller has no Kafka listener: remove it from listeners, or add broker to process.roles');
  }
  if (!isController && listeners.some((it) => it.kind === 'controller')) {
    errors.push('a broker has no controller listener: remove it from listeners, or add controller to process.roles');
  }
  const wanted = config.interBrokerListener;
  if (isBroker && wanted !== undefined && !listeners.some((it) => it.kind === 'kafka' && it.name === wanted)) {
    errors.push(`inter.broker.listener.name=${wanted} is not one of the Kafka listeners`);
  }
  if (config.logDirs.length === 0) errors.push('log.dirs is missing: name a folder for the data');
  if (new Set(config.logDirs).size !== config.logDirs.length) errors.push('log.dirs names a folder twice');
  const { 'broker.session.timeout.ms': session, 'broker.heartbeat.interval.ms': heartbeat } = config.values;
  if (heartbeat >= session) {
    errors.push(`broker.heartbeat.interval.ms=${heartbeat} must be less than broker.session.timeout.ms=${session}`);
  }
  const lags = lagConflict('log.cleaner.', (key) => config.values[key]);
  if (lags !== undefined) errors.push(lags);
  const grace = config.values['broker.connection.grace.ms'];
  if (grace > session) {
    errors.push(`broker.connection.grace.ms=${grace} must be at most broker.session.timeout.ms=${session}`);
  }
}

/** Reads the text of a server.properties file. Errors are sentences that name the key and the fix. */
export function parseNodeConfig(content: string): ConfigResult {
  const problems: Problems = { errors: [], warnings: [] };
  let entries: Map<string, string>;
  try {
    entries = parseProperties(content);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { ok: false, errors: [error.message] };
  }
  const { values, setKeys } = readValues(entries, problems);
  const roles = readRoles(values['process.roles'], problems);
  const listeners = parseListeners(
    {
      listeners: values.listeners || (roles.isBroker ? 'PLAINTEXT://127.0.0.1:9092' : ''),
      advertised: values['advertised.listeners'],
      protocolMap: values['listener.security.protocol.map'],
      controllerNames: values['controller.listener.names'],
    },
    problems,
  );
  const logDirs = listOf(values['log.dirs'] || values['log.dir']);
  const config: NodeConfig = {
    nodeId: values['node.id'],
    ...roles,
    voters: parseVoters(values['controller.quorum.voters'], problems),
    bootstrapServers: readBootstrapServers(values['controller.quorum.bootstrap.servers'], problems),
    listeners,
    interBrokerListener: roles.isBroker
      ? values['inter.broker.listener.name'].toUpperCase() || listeners.find((it) => it.kind === 'kafka')?.name
      : undefined,
    logDirs,
    metadataLogDir: values['metadata.log.dir'] || logDirs[0] || '',
    rack: values['broker.rack'],
    values,
    setKeys,
  };
  crossCheck(config, problems);
  return problems.errors.length > 0
    ? { ok: false, errors: problems.errors }
    : { ok: true, config, warnings: problems.warnings };
}
