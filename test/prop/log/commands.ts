// The commands of the model test: what may happen to a log, as plain data that shrinks and prints.
import fc from 'fast-check';
import { appends } from './append-commands.ts';
import type { Weighted } from './command.ts';
import { always, command, quiet } from './command.ts';
import { compactions } from './compaction-commands.ts';
import type { LogModel, Profile } from './model.ts';
import { reads } from './read-commands.ts';
import { removals } from './retention-commands.ts';
import type { Subject } from './subject.ts';
import { FOLDER } from './subject.ts';
import { cuts } from './truncate-commands.ts';

const wait = fc.boolean();

const flush = command('flush', { wait }, always, (subject, args) => {
  const { log, model } = subject;
  const { end } = model;
  return subject.run(args.wait, log.flush(), (outcome) => {
    if (outcome.kind === 'failed' || model.truncatingTo !== undefined) return;
    subject.promise('flushed', log.flushedEndOffset >= Math.min(end, model.end));
  });
});

const newEpoch = command('newEpoch', { wait }, quiet, (subject, args) => {
  const { log, model } = subject;
  // Epoch 0 is an epoch.
  const epoch = model.epochs.length === 0 ? model.leaderEpoch : model.leaderEpoch + 1;
  const assigned = log.assignEpoch(epoch);
  const entry = { epoch, startOffset: model.end };
  model.leaderEpoch = epoch;
  model.assignEpoch(entry.epoch, entry.startOffset);
  return subject.run(args.wait, assigned, (outcome) => {
    const isStill = model.epochs.some((one) => one.epoch === entry.epoch && one.startOffset === entry.startOffset);
    if (outcome.kind === 'done' && isStill && model.truncatingTo === undefined) model.durableEpoch = entry;
  });
});

const checkpoint = command('checkpoint', { wait }, always, (subject, args) => {
  const { highWatermark } = subject.model;
  return subject.run(
    args.wait,
    subject.directory.checkpoint(() => highWatermark),
    () => {},
  );
});

const advance = command('advance', { share: fc.nat(100) }, always, async ({ model }, { share }) => {
  const at = Math.floor((model.history.length * share) / 100);
  const offset = model.history[at - 1]?.nextOffset ?? 0;
  if (model.truncatingTo === undefined) model.highWatermark = Math.max(model.highWatermark, offset);
});

const pump = command('pump', { events: fc.integer({ min: 1, max: 12 }) }, always, (subject, { events }) =>
  subject.world.pump(events),
);

const reconfigure = command(
  'reconfigure',
  { segmentBytes: fc.constantFrom(700, 1500, 4000, 1 << 20), flushMode: fc.constantFrom('sync', 'async' as const) },
  always,
  async (subject, change) => {
    subject.reconfigure(change);
    subject.count('reconfigured');
  },
);

const fail = command(
  'fail',
  { what: fc.constantFrom('sync', 'write', 'directory', 'store' as const) },
  always,
  async ({ world }, { what }) => {
    // One at a time: of a sync that fails the log leaves a note in the folder, which may not fail at that moment too.
    world.simDisk.forgetFailures();
    world.simDisk.failNext(what, what === 'store' ? '' : FOLDER);
  },
);

const fill = command('fill', { room: fc.nat(2000) }, always, async ({ world }, { room }) => {
  world.simDisk.settings.capacityBytes = world.simDisk.usedBytes + room;
});

const crash = command('crash', { how: fc.constantFrom('kill', 'power-cut' as const) }, always, (subject, { how }) =>
  subject.restart(how),
);

const stop = command('stop', {}, always, (subject) => subject.stop());

const weighted: readonly Weighted[] = [
  ...appends,
  ...reads,
  ...cuts,
  ...removals,
  ...compactions,
  { weight: 5, arbitrary: flush },
  { weight: 3, arbitrary: newEpoch },
  { weight: 2, arbitrary: checkpoint },
  { weight: 2, arbitrary: advance },
  { weight: 6, arbitrary: pump },
  { weight: 1, arbitrary: reconfigure },
  { weight: 1, arbitrary: fail },
  { weight: 1, arbitrary: fill },
  { weight: 2, arbitrary: crash },
  { weight: 1, arbitrary: stop },
];

/** `replayPath`: of a failure that is to be seen again. */
export function commands(replayPath?: string): fc.Arbitrary<Iterable<fc.AsyncCommand<LogModel, Subject>>> {
  const options = { maxCommands: 60, size: 'max' } as const;
  return fc.commands([fc.oneof(...weighted)], replayPath === undefined ? options : { ...options, replayPath });
}

export const options = fc.record({
  seed: fc.nat(),
  config: fc.record({
    segmentBytes: fc.constantFrom(1500, 1500, 4000, 1 << 20),
    indexIntervalBytes: fc.constantFrom(0, 600, 4096),
    flushMode: fc.constantFrom('sync', 'async' as const),
  }),
  // Few files open at once, and memory for hardly an index: what is not used is closed, and opened again.
  nodeValues: fc.record({ 'log.max.open.files': fc.constantFrom(1, 2, 3, 500) }),
  indexBytes: fc.constantFrom(0, 100, 1 << 20),
  profile: fc.constantFrom<Profile>('', '', 'retain', 'compact', 'compact', 'retain compact'),
});
