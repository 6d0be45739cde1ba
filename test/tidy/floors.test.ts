// src/README.md shows the floors that .dependency-cruiser.cjs enforces: same folders, same imports.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from './tree.ts';

interface Rule {
  name: string;
  from: { path?: string };
  to: { path?: string; pathNot?: string };
}

type Floors = Record<string, string[]>;

/** floor → what it may import, read off the rules themselves. */
function enforced(): Floors {
  const { forbidden } = createRequire(import.meta.url)('../../.dependency-cruiser.cjs') as { forbidden: Rule[] };
  const rules = forbidden.filter(({ name }) => name.startsWith('floor-'));
  return Object.fromEntries(
    rules.map(({ name, from, to }) => {
      const floor = name.slice('floor-'.length);
      expect(from.path).toBe(`^src/${floor}/`);
      expect(to.path).toBe('^src/');
      const allowed = /^\^src\/\(([\w|]+)\)\/$/.exec(to.pathNot ?? '')?.[1]?.split('|') ?? [];
      expect(allowed, 'a floor imports itself').toContain(floor);
      return [floor, allowed.filter((other) => other !== floor).sort()];
    }),
  );
}

/** floor → what its row says; `all above but …` is relative to the rows before it. */
function shown(): Floors {
  const floors: Floors = {};
  const readme = readFileSync(join(root, 'src/README.md'), 'utf8');
  for (const [, floor = '', what = '', imports = ''] of readme.matchAll(/^\| `(\w+)` \| (.+) \| (.+) \|$/gm)) {
    const named = [...imports.matchAll(/`(\w+)`/g)].map(([, name = '']) => name);
    const above = Object.keys(floors);
    expect(imports).toMatch(/^(nothing|all above|all above but( `\w+`)+|`\w+`( `\w+`)*)$/);
    expect(what.length, `the phrase for ${floor}`).toBeGreaterThan(10);
    expect(above, `the row of ${floor} stands once`).not.toContain(floor);
    floors[floor] = (imports.startsWith('all above') ? above.filter((name) => !named.includes(name)) : named).sort();
  }
  return floors;
}

const folders = readdirSync(join(root, 'src'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort();

test('every folder has its row, every row its folder', () => {
  expect(Object.keys(shown()).sort()).toEqual(folders);
});

test('the rows say what the rules enforce', () => {
  expect(shown()).toEqual(enforced());
});

test('nothing lies beside the folders but the table', () => {
  const files = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((entry) => !entry.isDirectory());
  expect(files.map(({ name }) => name)).toEqual(['README.md']);
});
