// The whole `kvorum` command line as commander has it.
import { Command } from 'commander';
import type { CommandRow, GroupRow } from './command-table.ts';
import { addCommand, addGroup } from './command-table.ts';
import { BROKER, CLUSTER } from './groups/cluster.ts';
import { CONFIG } from './groups/config.ts';
import { LOG } from './groups/log.ts';
import { METADATA } from './groups/metadata.ts';
import { NODES } from './groups/nodes.ts';
import { PARTITION } from './groups/partition.ts';
import { QUORUM } from './groups/quorum.ts';
import { RECORDS } from './groups/records.ts';
import { TOPIC } from './groups/topic.ts';

const AFTER = `
Exit codes: 0 done, 1 it or one of its items failed (standard error says which and why), 2 asked wrongly.
Where to ask: --server, else KVORUM_SERVER, else 127.0.0.1:9094. kvorum <command> --help has examples.`;

export const COMMANDS: readonly CommandRow[] = [...NODES, ...RECORDS];
export const GROUPS: readonly GroupRow[] = [TOPIC, PARTITION, CONFIG, BROKER, CLUSTER, QUORUM, METADATA, LOG];

/** Throws CommanderError instead of ending the process. */
export function createProgram(commands = COMMANDS, groups = GROUPS): Command {
  const program = new Command('kvorum')
    .description('A KRaft-style metadata quorum and Kafka-compatible message broker.')
    .version('0.1.0')
    .showHelpAfterError('(kvorum --help lists the commands)')
    .addHelpText('after', AFTER)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'kvorum: ')) })
    .exitOverride();
  for (const row of commands) addCommand(program, row);
  for (const group of groups) addGroup(program, group);
  return program;
}
