// The whole command line: every command explains itself, and its examples are command lines that it takes.
import { describe, expect, it } from 'vitest';
import type { CommandRow } from '../../../src/cli/command-table.ts';
import { COMMANDS, createProgram, GROUPS } from '../../../src/cli/program.ts';

const all = [
  ...COMMANDS.map((row) => ({ path: row.name, row })),
  ...GROUPS.flatMap(({ name, commands }) => commands.map((row) => ({ path: `${name} ${row.name}`, row }))),
];

const onDisk = /^(dev|format|random-id|start|quorum recover|quorum replay|metadata dump|metadata snapshot|log dump)\b/;
const changes =
  /^(topic (create|delete|add-partitions)|partition elect|config (set|append|subtract|reset)|broker unregister|cluster upgrade|quorum (add|remove)-voter)\b/;

/** Names the command that is run instead of running it. */
async function parsed(args: readonly string[]): Promise<{ path: string; options: Record<string, unknown> }> {
  let called: { path: string; options: Record<string, unknown> } | undefined;
  const spy = (path: string, row: CommandRow): CommandRow => ({
    ...row,
    run: (...given: unknown[]) => {
      called = { path, options: given.at(-2) as Record<string, unknown> };
      return Promise.resolve();
    },
  });
  const program = createProgram(
    COMMANDS.map((row) => spy(row.name, row)),
    GROUPS.map((group) => ({ ...group, commands: group.commands.map((row) => spy(`${group.name} ${row.name}`, row)) })),
  );
  await program.parseAsync(args, { from: 'user' });
  if (called === undefined) throw new Error(`nothing is run by ${args.join(' ')}`);
  return called;
}

/** What a shell would hand to the last `kvorum` of a line. */
function wordsOf(example: string): string[] {
  const line = example
    .replace(/#.*/, '')
    .replace(/\$\(kvorum random-id\)/, 'id')
    .replace(/\)$/, '');
  return line
    .slice(line.lastIndexOf('kvorum') + 'kvorum'.length)
    .trim()
    .split(/\s+/);
}

describe.for(all)('kvorum $path', ({ path, row }) => {
  const words = path.split(' ').filter((word) => /^[a-z]/.test(word));

  it('has examples that are taken', async () => {
    expect(row.examples.length).toBeGreaterThan(0);
    const runs = await Promise.all(row.examples.map((example) => parsed(wordsOf(example))));
    expect(runs.map((run) => run.path)).toContain(path);
  });

  it('has the options of its kind', () => {
    const flags = (row.options ?? []).map((option) => option.flags.split(' ')[0]);
    const has = (...names: string[]): boolean => names.every((name) => flags.includes(name));
    const isRecords = /^(produce|consume)/.test(path);
    expect(has('--server', '--timeout', '--format')).toBe(!onDisk.test(path) && !isRecords);
    expect(has('--dry-run')).toBe(changes.test(path));
    expect(flags).not.toContain('--json');
    expect(new Set(flags).size).toBe(flags.length);
  });

  it('shows examples in its help', () => {
    const help: string[] = [];
    const program = createProgram();
    const command = words.reduce((at, word) => at.commands.find((it) => it.name() === word) ?? at, program);
    expect(command).not.toBe(program);
    command.configureOutput({ writeOut: (text) => help.push(text) }).outputHelp();
    expect(help.join('')).toContain(`\n  ${row.examples[0]}`);
  });
});

describe('options', () => {
  it('collect whose configs are meant', async () => {
    const args = ['config', 'set', '--topic', 'a', 'x=1', '--topic', 'b', '--broker', '4', 'y=2', '--all-brokers'];
    const { options } = await parsed(args);
    expect(options).toMatchObject({ topic: ['a', 'b'], broker: [4], allBrokers: true });
    expect((await parsed(['config', 'set', 'x=1', '--topic', 'c'])).options).toMatchObject({ topic: ['c'] });
  });

  it('have the server from the environment, unless it is given', async () => {
    const before = process.env['KVORUM_SERVER'];
    try {
      delete process.env['KVORUM_SERVER'];
      expect((await parsed(['topic', 'list'])).options).toMatchObject({ server: '127.0.0.1:9094', format: 'text' });
      process.env['KVORUM_SERVER'] = 'b4:9094,b5:9094';
      expect((await parsed(['topic', 'list'])).options).toMatchObject({ server: 'b4:9094,b5:9094' });
      expect((await parsed(['topic', 'list', '--server', 'c:1'])).options).toMatchObject({ server: 'c:1' });
    } finally {
      if (before === undefined) delete process.env['KVORUM_SERVER'];
      else process.env['KVORUM_SERVER'] = before;
    }
  });
});
