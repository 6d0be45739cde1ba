// `kvorum`: the command line. Each command's code is loaded when it is run, so that `--help` and small commands start quickly.
import { Command, CommanderError } from 'commander';
import { addAdminCommands } from './admin-commands.ts';
import { failWith } from './failure.ts';
import { addMetadataCommands } from './metadata-commands.ts';
import { addNodeCommands } from './node-commands.ts';
import { addRecordCommands } from './record-commands.ts';

// `kvorum consume … | head`: a reader that has enough is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const program = new Command('kvorum')
  .description('A KRaft-style metadata quorum and Kafka-compatible message broker.')
  .version('0.1.0')
  .showHelpAfterError('(kvorum --help lists the commands)')
  .exitOverride();

addNodeCommands(program);
addAdminCommands(program);
addMetadataCommands(program);
addRecordCommands(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else failWith(error);
}
