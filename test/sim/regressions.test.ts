// Scenarios that once failed, as they were found: test/regressions/sim/<what was wrong>.json
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, test } from 'vitest';
import { loadCodecs } from '../../src/codec/compression.ts';
import { readScenario, runWell } from './scenarios.ts';

const folder = fileURLToPath(new URL('../regressions/sim', import.meta.url));

beforeAll(loadCodecs);

test.each(readdirSync(folder).sort())('%s', async (name) => {
  await runWell(readScenario(`${folder}/${name}`));
});
