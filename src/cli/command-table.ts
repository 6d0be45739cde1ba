// How commands are defined: a row of a table each, from which commander, `--help` and its examples follow. What a command does is
// loaded when it is run, so that `--help` and small commands start quickly.
import type { Command } from 'commander';
import { Option } from 'commander';

/** An option of a command. */
export interface OptionRow {
  /** As commander takes them, e.g. `-p, --partitions <n>`. */
  readonly flags: string;
  readonly text: string;
  readonly parse?: (text: string, previous: unknown) => unknown;
  readonly standard?: unknown;
  /** Environment variable that stands in for it. */
  readonly env?: string;
  readonly choices?: readonly string[];
  readonly required?: boolean;
  /** Options that make no sense beside it, by their names as commander has them, e.g. `allBrokers`. */
  readonly conflicts?: readonly string[];
}

/** A command: its name with arguments, e.g. `create <name...>`. */
export interface CommandRow {
  readonly name: string;
  readonly text: string;
  readonly options?: readonly OptionRow[];
  /** Command lines, at least one. */
  readonly examples: readonly string[];
  /** Gets the arguments and then the options, as commander parsed them. */
  readonly run: (...args: never[]) => Promise<void>;
}

/** Commands that begin with the same word, e.g. `topic`. */
export interface GroupRow {
  readonly name: string;
  readonly text: string;
  readonly commands: readonly CommandRow[];
}

export function addGroup(program: Command, { name, text, commands }: GroupRow): void {
  const group = program
    .command(name)
    .description(text)
    .showHelpAfterError(`(kvorum ${name} --help lists its commands)`);
  for (const row of commands) addCommand(group, row);
}

export function addCommand(parent: Command, row: CommandRow): void {
  const command = parent.command(row.name).description(row.text);
  const path = [...(parent.parent === null ? [] : [parent.name()]), command.name()].join(' ');
  for (const option of row.options ?? []) command.addOption(optionOf(option));
  command
    .showHelpAfterError(`(kvorum ${path} --help has examples)`)
    .addHelpText('after', `\nExample${row.examples.length > 1 ? 's' : ''}:\n  ${row.examples.join('\n  ')}`)
    .action((...args: unknown[]) => row.run(...(args as never[])));
}

function optionOf({ flags, text, parse, standard, env, choices, required, conflicts }: OptionRow): Option {
  const option = new Option(flags, text);
  if (choices !== undefined) option.choices(choices);
  if (parse !== undefined) option.argParser(parse);
  if (standard !== undefined) option.default(standard);
  if (env !== undefined) option.env(env);
  if (conflicts !== undefined) option.conflicts([...conflicts]);
  return option.makeOptionMandatory(required === true);
}
