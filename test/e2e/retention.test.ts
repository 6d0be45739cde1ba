// Retention as a user sees it: a topic's configs are changed while it is served, old records go, and stay gone after a kill.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { clusterServes, kvorumOk, startNode } from './kvorum.ts';
import { cleanUp, eventually, temporaryFolder } from './processes.ts';
import { formatSingleNode } from './single-node.ts';

afterAll(cleanUp);

it('retention.bytes and retention.ms, set while the topic is served, are obeyed at the next round; a kill brings nothing back', async () => {
  const parent = temporaryFolder();
  const data = join(parent, 'data');
  const keys = { 'log.retention.check.interval.ms': '300', 'log.segment.delete.delay.ms': '100' };
  const node = await formatSingleNode(parent, data, keys);
  let process = startNode(node.file);
  await clusterServes(node.server, 1);
  const run = (...args: string[]) => kvorumOk([...args, '--server', node.server]);
  const produce = (text: string) => kvorumOk(['produce', 'events', '--server', node.server], `${text}\n`);
  const begins = async (): Promise<number> => {
    const args = ['consume', 'events', '--from', 'beginning', '--exit', '--format', 'json'];
    const [first] = (await run(...args)).split('\n').filter((line) => line !== '');
    return first === undefined ? -1 : (JSON.parse(first) as { offset: number }).offset;
  };
  const told = (cause: string) => process.stderr.includes('segments-deleted') && process.stderr.includes(cause);

  await run('topic', 'create', 'events', '--config', 'segment.bytes=3000');
  for (let i = 0; i < 8; i++) await produce('x'.repeat(1000));
  expect(await begins()).toBe(0);
  await run('config', 'set', 'retention.bytes=3000', '--topic', 'events');
  const start = await eventually('the oldest records are gone', async () => {
    const offset = await begins();
    return offset > 0 ? offset : undefined;
  });
  expect(told('retention.bytes')).toBe(true);
  const files = (): string[] => readdirSync(join(data, 'events-0'));
  await eventually('removed files', () =>
    Promise.resolve(files().some((name) => name.endsWith('.deleted')) ? undefined : true),
  );
  expect(files()).not.toContain('00000000000000000000.log');

  process.kill('SIGKILL');
  await process.ended(20_000);
  process = startNode(node.file);
  await clusterServes(node.server, 1);
  expect(await begins()).toBe(start);

  await run('config', 'set', 'retention.ms=1000', '--topic', 'events');
  await eventually('all are too old', async () => ((await begins()) === -1 ? true : undefined));
  expect(told('retention.ms')).toBe(true);
  await run('config', 'reset', 'retention.ms', '--topic', 'events');
  await produce('new');
  expect(await begins()).toBe(8);
});
