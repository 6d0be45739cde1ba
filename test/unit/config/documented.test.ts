// docs/configs.md lists what can be altered, as the key table has it.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ALIASES } from '../../../src/config/aliases.ts';
import { isNodeKey, NODE_KEYS, nodeKey } from '../../../src/config/node-keys.ts';

const SCOPES = { broker: 'a broker, or all', cluster: 'all brokers', committed: 'all brokers, no file' };

test('the table of keys that can be altered is complete', () => {
  const text = readFileSync(new URL('../../../docs/configs.md', import.meta.url), 'utf8');
  const shown = [...text.matchAll(/^\| `([a-z.]+)` \| ([^`]+) \|$/gm)].map(([, key, scope]) => [key, scope]);
  const keys = Object.keys(NODE_KEYS).filter(isNodeKey).sort();
  const alterable = keys.flatMap((key) => {
    const { scope } = nodeKey(key);
    return scope === undefined ? [] : [[key, SCOPES[scope]]];
  });
  expect(shown).toEqual(alterable);
});

test('so is the one of the names that stand for others in a file', () => {
  const text = readFileSync(new URL('../../../docs/configs.md', import.meta.url), 'utf8');
  const shown = [...text.matchAll(/^\| `([a-z.]+)` \| ((?:`[a-z.]+`(?:, )?)+) \|$/gm)].map(([, name, keys]) => [
    name,
    keys,
  ]);
  expect(shown).toEqual(
    Object.entries(ALIASES).map(([name, { keys }]) => [name, keys.map((key) => `\`${key}\``).join(', ')]),
  );
});
