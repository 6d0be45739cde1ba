// `kvorum`: the command line. Each command's code is loaded when it is run, so that `--help` and small commands start quickly.
import { CommanderError } from 'commander';
import { failWith } from './failure.ts';
import { createProgram } from './program.ts';

// `kvorum consume … | head`: a reader that has enough is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  await createProgram().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else failWith(error);
}
