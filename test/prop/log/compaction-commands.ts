// Compaction (D-9.4) beside everything else: truncations, removals and crashes come in its middle.
import fc from 'fast-check';
import { TOMBSTONES_STAY_MS } from './checks.ts';
import type { Weighted } from './command.ts';
import { command } from './command.ts';

const compact = command(
  'compact',
  {
    laterMs: fc.constantFrom(0, 40, 200),
    mapBytes: fc.constantFrom(200, 1 << 16),
    ready: fc.boolean(),
    wait: fc.boolean(),
  },
  ({ profile, compactions, truncatingTo }) =>
    profile.includes('compact') && compactions.underWay === 0 && truncatingTo === undefined,
  async (subject, { laterMs, mapBytes, ready, wait }) => {
    const { log, model } = subject;
    if (ready) await subject.commit();
    if (log.failure !== undefined) return;
    subject.reconfigure({ cleanupPolicy: 'compact', deleteRetentionMs: TOMBSTONES_STAY_MS });
    const { compactions } = model;
    compactions.now += laterMs;
    compactions.begun ??= compactions.now;
    compactions.underWay += 1;
    model.cleanedBelow = Math.max(model.cleanedBelow, model.highWatermark);
    const { now } = compactions;
    const secret = Buffer.alloc(16, subject.world.life);
    const compaction = log.compact({ endOffset: model.highWatermark, now, mapBytes, secret });
    await subject.run(wait, compaction, (outcome) => {
      compactions.underWay -= 1;
      if (outcome.kind === 'done') subject.count(`compactions: ${outcome.value.kind}`);
    });
  },
);

/** The power goes in the middle of one, wherever that is. */
const cut = command(
  'cutCompaction',
  { events: fc.nat(150) },
  ({ profile, compactions, truncatingTo }) =>
    profile.includes('compact') && compactions.underWay > 0 && truncatingTo === undefined,
  async (subject, { events }) => {
    await subject.world.pump(events);
    await subject.settle();
    subject.count('compactions cut');
    await subject.restart('power-cut');
  },
);

export const compactions: readonly Weighted[] = [
  { weight: 3, arbitrary: compact },
  { weight: 3, arbitrary: cut },
];
