// After a clean stop no CRC is computed: a header that cannot be right is damage all the same, not a crash later.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { misfit } from '../../../src/log/header-check.ts';
import { PartitionLog } from '../../../src/log/partition-log.ts';
import { BatchHeader, CRC_AT } from '../../../src/record/batch.ts';
import { batch, CONFIG, deps, tempFolder } from './fixture.ts';

const MAX_TIMESTAMP_AT = 35;
const PRODUCER_ID_AT = 43;

test('what a header may say', () => {
  const header = (count: number, baseOffset: number) =>
    new BatchHeader(batch({ count, baseOffset, partitionLeaderEpoch: 0 }));
  expect(misfit(header(3, 10), 10, 10)).toBeUndefined();
  expect(misfit(header(3, 15), 10, 10)).toBeUndefined();
  expect(misfit(header(3, 9), 9, 10)).toMatch(/^a batch has offsets 9 to 11, where 10 is the least/);
  expect(misfit(header(2, 0x8000_0008), 10, 10)).toBeUndefined();
  expect(misfit(header(2, 0x8000_0009), 10, 10)).toMatch(/^a batch has offsets/);
  expect(misfit(new BatchHeader(batch({ partitionLeaderEpoch: -1 })), 0, 0)).toBe('a batch has leader epoch -1');
});

test.for([
  { what: 'base offset', at: 0, says: /offsets 720\d+ to/ },
  { what: 'timestamp', at: MAX_TIMESTAMP_AT, says: /timestamp 720\d+$/ },
  { what: 'producer id', at: PRODUCER_ID_AT, says: /producer id 720\d+$/ },
])('D-10.2 a log with a rotten $what is refused after a clean stop', async ({ at, says }) => {
  const folder = await tempFolder();
  const log = await PartitionLog.open(deps(), folder, CONFIG, { cleanShutdown: false, recoveryPoint: 0 });
  log.append(batch({ producerId: 4, producerEpoch: 0, baseSequence: 0 }), 0);
  await log.close();
  const path = join(folder, '00000000000000000000.log');
  const bytes = readFileSync(path);
  bytes.writeUInt8(1, at);
  writeFileSync(path, bytes);
  for (const kind of ['index', 'timeindex']) rmSync(path.replace(/log$/, kind));
  rmSync(join(folder, '00000000000000000001.snapshot'));
  const opening = PartitionLog.open(deps(), folder, CONFIG, { cleanShutdown: true, recoveryPoint: 0 });
  await expect(opening).rejects.toMatchObject({ code: 'CORRUPT', message: expect.stringMatching(says) as string });
});

test('D-10.4 an intact batch with a timestamp that no index can hold is refused after an unclean stop', async () => {
  const folder = await tempFolder();
  const bytes = batch({ timestamp: 1000, partitionLeaderEpoch: 0 });
  bytes.writeBigInt64BE(2n ** 63n - 1n, MAX_TIMESTAMP_AT);
  bytes.writeUInt32BE(new BatchHeader(bytes).computeCrc(), CRC_AT);
  writeFileSync(join(folder, '00000000000000000000.log'), bytes);
  const opening = PartitionLog.open(deps(), folder, CONFIG, { cleanShutdown: false, recoveryPoint: 1 });
  await expect(opening).rejects.toMatchObject({
    code: 'CORRUPT',
    message: expect.stringMatching(/timestamp 92233\d+/) as string,
  });
});
