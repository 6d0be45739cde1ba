// What a life of a broker notes in its log dirs, over starts that come to nothing (C-2.4, B85).
import { expect, test } from 'vitest';
import { BrokerLife } from '../../../src/broker/broker-life.ts';
import { LogDirectory } from '../../../src/log/log-directory.ts';
import { writeMetaProperties } from '../../../src/log/storage.ts';
import { openStore } from '../../../src/node/store.ts';
import { CONFIG, deps, tempFolder } from '../log/fixture.ts';
import { uuid } from '../metadata/fixture.ts';

const OWNER = { nodeId: 3, clusterId: uuid(9) };
const T = uuid(50);

test('what the last life left in the page cache stays noted, also behind a clean stop of a start that was not registered', async () => {
  const path = await tempFolder();
  await writeMetaProperties(deps().disk, path, { ...OWNER, directoryId: uuid(61), version: 1 });
  const open = () => LogDirectory.open({ ...deps(), openStore }, path, OWNER);

  const first = await open();
  await new BrokerLife([first], [], 'one').begin(7);
  await first.openLog('t', T, 0, { ...CONFIG, flushMode: 'async' });
  await first.close(false, -1);

  const second = await open();
  expect(await second.close(true, -1)).toBe(true);

  const third = await open();
  const life = new BrokerLife([third], [], 'one');
  expect(life.last).toEqual({ brokerEpoch: 7, end: 'crash' });
  await life.begin(12);
  await third.close(false, -1);

  const fourth = await open();
  expect(new BrokerLife([fourth], [], 'one').last).toEqual({ brokerEpoch: 12, end: 'crash' });
  // The power was cut before a log was open, and durable.
  expect(new BrokerLife([fourth], [], 'two').last).toEqual({ brokerEpoch: -1, end: 'unknown' });
  await fourth.close(false, -1);
});
