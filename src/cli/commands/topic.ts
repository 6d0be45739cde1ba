// `kvorum topic create|list|describe|delete`.
import { createInterface } from 'node:readline/promises';
import type { ItemError } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition } from '../../gen/kvorum/v1/admin.ts';
import type { Asking, CreateOptions, DeleteOptions } from '../command-options.ts';
import { UsageError } from '../failure.ts';
import { print, table } from '../output.ts';
import { withAdmin } from '../server-option.ts';

const {
  createTopics: create,
  listTopics: list,
  describeTopics: describe,
  deleteTopics: remove,
} = AdminServiceDefinition.methods;

function configsOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new UsageError(`--config takes key=value, not '${pair}'`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

/** One line per item; exit code 1 if one failed. */
function report(
  items: readonly { readonly name: string; readonly error?: ItemError | undefined }[],
  done: string,
): string {
  return items
    .map(({ name, error }) => (error === undefined ? `${name}: ${done}` : `${name}: ${failure(error)}`))
    .join('\n');
}

function failure(error: ItemError): string {
  return `${error.name}: ${error.message}`;
}

function exitCodeFor(items: readonly { readonly error?: ItemError | undefined }[]): void {
  if (items.some(({ error }) => error !== undefined)) process.exitCode = 1;
}

export async function createTopics(names: string[], options: CreateOptions): Promise<void> {
  const configs = configsOf(options.config ?? []);
  const topics = names.map((name) => ({
    name,
    partitions: options.partitions ?? -1,
    replicationFactor: options.replicationFactor ?? -1,
    configs,
    assignments: [],
  }));
  const validateOnly = options.validateOnly === true;
  const answer = await withAdmin(options, ({ call }) => call(create, { topics, validateOnly, forwarded: false }));
  exitCodeFor(answer.topics);
  print(options.json, answer, () => report(answer.topics, validateOnly ? 'could be created' : 'created'));
}

export async function listTopics(options: Asking): Promise<void> {
  const answer = await withAdmin(options, ({ call }) => call(list, {}));
  print(options.json, answer, () =>
    table(
      ['TOPIC', 'PARTITIONS', 'REPLICATION', 'ID'],
      answer.topics.map((topic) => [topic.name, topic.partitions, topic.replicationFactor, topic.topicId]),
    ),
  );
}

export async function describeTopics(names: string[], options: Asking): Promise<void> {
  const topics = names.map((name) => ({ name, topicId: '' }));
  const answer = await withAdmin(options, ({ call }) => call(describe, { topics }));
  exitCodeFor(answer.topics);
  print(options.json, answer, () =>
    answer.topics
      .map((topic) => {
        if (topic.error !== undefined) return `${topic.name}: ${failure(topic.error)}`;
        const configs = Object.entries(topic.configs).map(([key, value]) => `${key}=${value}`);
        const head = `${topic.name} (id ${topic.topicId}${configs.length > 0 ? `, ${configs.join(', ')}` : ''})`;
        const rows = topic.partitions.map((it) => [
          it.partition,
          it.leader < 0 ? 'none' : it.leader,
          it.leaderEpoch,
          it.replicas.join(','),
          it.isr.join(','),
        ]);
        return `${head}\n${table(['PARTITION', 'LEADER', 'EPOCH', 'REPLICAS', 'ISR'], rows)}`;
      })
      .join('\n\n'),
  );
}

export async function deleteTopics(names: string[], options: DeleteOptions): Promise<void> {
  if (options.yes !== true && !(await confirm(`Delete ${names.join(', ')} with all records?`))) {
    throw new UsageError('nothing was deleted: confirm with y, or give --yes');
  }
  const topics = names.map((name) => ({ name, topicId: '' }));
  const answer = await withAdmin(options, ({ call }) =>
    call(remove, { topics, validateOnly: false, forwarded: false }),
  );
  exitCodeFor(answer.topics);
  print(options.json, answer, () => report(answer.topics, 'deleted'));
}

async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}
