// House rules that no tool knows. Each rule is first shown an offender, so that a rule which cannot fail is noticed.
import { expect, test } from 'vitest';
import type { TextFile } from './tree.ts';
import { isOurs, linesMatching, repository } from './tree.ts';

const files = repository();
const ours = files.filter(isOurs);
const code = ours.filter(({ path }) => /\.(ts|mjs|cjs)$/.test(path));

function file(path: string, text: string): TextFile {
  return { path, text };
}

const MAX_LINES = 500;

function tooLong(among: readonly TextFile[]): string[] {
  return among
    .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > MAX_LINES)
    .map(({ path, lines }) => `${path}: ${lines} lines`);
}

test(`no file is longer than ${MAX_LINES} lines`, () => {
  expect(tooLong([file('a.ts', 'x\n'.repeat(MAX_LINES)), file('b.ts', 'x\n'.repeat(MAX_LINES + 1))])).toHaveLength(1);
  expect(tooLong(code)).toEqual([]);
});

function withoutHeader(among: readonly TextFile[]): string[] {
  return among.filter(({ text }) => !/^(#!.*\n)?\/[/*]/.test(text)).map(({ path }) => path);
}

test('each source file says at its top what it owns', () => {
  expect(withoutHeader([file('a.ts', 'export {};'), file('b.ts', '#!/usr/bin/env node\n// b\n')])).toEqual(['a.ts']);
  expect(withoutHeader(code.filter(({ path }) => /^(src|bench|scripts)\//.test(path)))).toEqual([]);
});

const UNFINISHED = /\b(TODO|FIXME|XXX|HACK)\b|\b(for now|not (yet )?implemented( yet)?)\b/i;
const STUB = /\bstub(bed|s)?\b/i;

test('nothing is left for later', () => {
  expect('retries are off for now').toMatch(UNFINISHED);
  expect('the network of today').not.toMatch(UNFINISHED);
  expect(linesMatching(ours, UNFINISHED)).toEqual([]);
  expect('a stub of the broker').toMatch(STUB);
  expect(
    linesMatching(
      ours.filter(({ path }) => path.startsWith('src/')),
      STUB,
    ),
  ).toEqual([]);
});

const MACHINE_PATH = /\/work\/|\/root\/|\/tmp\/kvorum|\/(home|Users)\/[a-z]+\//;

test('no path of one machine', () => {
  expect("open('/root/kvorum/data')").toMatch(MACHINE_PATH);
  expect(linesMatching(ours, MACHINE_PATH)).toEqual([]);
});

const REGISTRY =
  /\bregistry\.[a-z0-9-]+\.[a-z]|"resolved": "http|:\/\/[^/\s]*(registry|artifactory|nexus|verdaccio|mirror)/i;

test('no registry host: packages come from wherever the user installs from', () => {
  expect('"resolved": "https://registry.npmjs.org/level/-/level-10.0.0.tgz"').toMatch(REGISTRY);
  const everywhere = files.filter(({ path }) => !path.startsWith('test/tidy/'));
  expect(everywhere.map(({ path }) => path)).toContain('package-lock.json');
  expect(linesMatching(everywhere, REGISTRY)).toEqual([]);
});

/** A test that does not run, or a rule that is switched off, without a reason on its line or in a comment above it. */
function withoutReason(among: readonly TextFile[]): string[] {
  return among.flatMap(({ path, text }) => {
    const lines = text.split('\n');
    return lines.flatMap((line, i) => {
      const skipped = /\b(it|test|describe|suite)(\.\w+)*\.(skip|skipIf|runIf|todo|fails|only)\b/.test(line);
      const commented = /\/\/ \S/.test(line) || /^\s*(\/\/ |\*)/.test(lines[i - 1] ?? '');
      const muted = /(oxlint|eslint|biome)-(disable|ignore)|@ts-(expect-error|ignore|nocheck)/.test(line);
      const explained = /(-- |@ts-expect-error:? |biome-ignore \S+: )\S/.test(line);
      return (skipped && !commented) || (muted && !explained) ? [`${path}:${i + 1}: ${line.trim()}`] : [];
    });
  });
}

test('what is skipped or switched off says why', () => {
  const offenders = ['it.skip(name, run);', 'describe.skipIf(slow)(name, run);', '// oxlint-disable-next-line no-var'];
  expect(withoutReason(offenders.map((text) => file('a.ts', text)))).toHaveLength(3);
  expect(withoutReason([file('a.ts', '// zstd came with Node 22\nit.skipIf(old)(name, run);')])).toEqual([]);
  expect(withoutReason(code)).toEqual([]);
});
