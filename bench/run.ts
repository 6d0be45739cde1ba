// `make bench`: what Kvorum does, beside the limit that this machine sets in the same run. Read the ratios: figures of one machine
// or one day say little. ARGS="produce fetch" selects parts; see harness/options.ts for the options.
import { cpus, totalmem } from 'node:os';
import { parseOptions, USAGE } from './harness/options.ts';
import { brokerFailover } from './parts/broker-failover.ts';
import { commit } from './parts/commit.ts';
import { compaction } from './parts/compaction.ts';
import { controller } from './parts/controller.ts';
import { failover } from './parts/failover.ts';
import { fetch } from './parts/fetch.ts';
import { log } from './parts/log.ts';
import { logOpen } from './parts/log-open.ts';
import { memory } from './parts/memory.ts';
import { metadata } from './parts/metadata.ts';
import type { Part } from './parts/part.ts';
import { produce } from './parts/produce.ts';
import { recovery } from './parts/recovery.ts';
import { replication } from './parts/replication.ts';
import { replicationIdle } from './parts/replication-idle.ts';
import { simulation } from './parts/simulation.ts';
import { snapshot } from './parts/snapshot.ts';
import { start } from './parts/start.ts';
import { takeover } from './parts/takeover.ts';

const PARTS: readonly Part[] = [
  produce,
  fetch,
  replication,
  replicationIdle,
  log,
  logOpen,
  recovery,
  compaction,
  commit,
  start,
  memory,
  simulation,
  failover,
  brokerFailover,
  snapshot,
  metadata,
  controller,
  takeover,
];

function usage(problem: string): never {
  console.error(`${problem}\n${USAGE}${PARTS.map(({ name }) => name).join(' ')}`);
  process.exit(2);
}

function optionsOrUsage(): ReturnType<typeof parseOptions> {
  try {
    return parseOptions(process.argv.slice(2));
  } catch (error) {
    return usage((error as Error).message);
  }
}

const options = optionsOrUsage();
const unknown = options.parts.find((name) => !PARTS.some((part) => part.name === name));
if (unknown !== undefined) usage(`there is no part '${unknown}'`);
// A signal ends this process through `exit`, which ends what it started.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const ram = `${Math.round(totalmem() / 2 ** 30)} GiB`;
console.log(`node ${process.version}, ${cpus().length} cores, ${ram}, data in ${options.dir}`);
const selected = options.parts.length === 0 ? PARTS : PARTS.filter(({ name }) => options.parts.includes(name));
for (const part of selected) await part.run(options);
