// A crash while a load finishes what a crash cut short: at each step of the disk in turn, with each thing that a swap can leave.
import { expect, it } from 'vitest';
import { Subject } from './subject.ts';

const SPEC = { producer: 1, compression: 'none', transactional: false, newEpoch: false } as const;

/** A log in the middle of a swap of several segments for one; undefined if the power cut left none. */
async function halfSwapped(seed: number): Promise<Subject | undefined> {
  const subject = new Subject(seed);
  await subject.start();
  for (let i = 0; i < 6; i++) {
    await subject.append({ ...SPEC, pairs: [[`k${i % 2}`, `${i} ${'v'.repeat(250)}`]] });
  }
  await subject.compact(100, 0, 20 + (seed % 40));
  subject.world.crash('power-cut');
  return (await subject.files('swap')).length > 0 ? subject : undefined;
}

it('a load that is cut short is finished by the next one', async () => {
  let loads = 0;
  for (let seed = 0; seed < 320; seed++) {
    const subject = await halfSwapped(seed);
    if (subject === undefined) continue;
    loads += 1;
    await subject.beginOpening((seed * 13) % 70);
    await subject.crashNow(seed % 8 === 0 ? 'kill' : 'power-cut');
    await subject.compact(100, 0, undefined);
  }
  expect(loads).toBeGreaterThan(20);
}, 120_000);
