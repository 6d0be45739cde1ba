// Kafka's own DumpLogSegments. Its jars come from Maven Central, once, into a cache folder of the user; without java, maven or
// a network the tests that need it are skipped and say so.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { run } from './processes.ts';

const VERSION = '4.1.1';
const CACHE = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'kvorum-e2e');
const JARS = join(CACHE, `kafka-${VERSION}`);

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>kvorum</groupId><artifactId>e2e</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${VERSION}</version>
    </dependency>
  </dependencies>
</project>
`;

function runs(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

function skipped(why: string): boolean {
  process.stderr.write(`${why}: tests with Kafka's DumpLogSegments are skipped\n`);
  return false;
}

function findOrDownload(): boolean {
  if (!runs('java', '-version')) return skipped('java is not installed');
  if (existsSync(JARS)) return true;
  if (!runs('mvn', '-version')) return skipped('mvn is not installed');
  mkdirSync(CACHE, { recursive: true });
  // Under another name until it is complete.
  const folder = mkdtempSync(join(CACHE, 'download-'));
  try {
    writeFileSync(join(folder, 'pom.xml'), POM);
    const args = ['--batch-mode', '--quiet', 'dependency:copy-dependencies', '-DoutputDirectory=jars'];
    const { status, stdout } = spawnSync('mvn', args, { cwd: folder, encoding: 'utf8', timeout: 240_000 });
    if (status !== 0) return skipped(`mvn cannot download Kafka ${VERSION} (${stdout.split('\n')[0] ?? ''})`);
    renameSync(join(folder, 'jars'), JARS);
    return true;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether there is a DumpLogSegments to test with. */
export const hasDumpLogSegments = findOrDownload();

/** What it says of the files, wrong or right: with exit code 0, and on both of its streams. */
export async function dumpLogSegments(files: readonly string[], ...options: string[]): Promise<string> {
  const args = ['-cp', join(JARS, '*'), 'kafka.tools.DumpLogSegments', '--files', files.join(','), ...options];
  const { code, stdout, stderr } = await run('java', args);
  if (code !== 0) throw new Error(`DumpLogSegments ended with ${code}: ${stderr}${stdout}`);
  return stdout + stderr.replaceAll(/^SLF4J:.*\n/gm, '');
}

/** Lines in which it says that something is wrong. */
export function complaintsIn(said: string): string[] {
  const wrong =
    /mismatch|out of order|not found|non-?consecutive|corrupt|invalid|isvalid: false|failed|exception|error|could not/i;
  // Of a batch that compaction emptied it says, in Kafka's own files too, that its records do not have its timestamp.
  const emptied = /^Found timestamp mismatch in :.*\n( {2}Index timestamp: \d+, log timestamp: -1\n)+(?! )/gm;
  const lines = said.replaceAll(emptied, '').split('\n');
  // What follows `payload:` is the users'.
  return lines.filter((line) => wrong.test(line.replace(/ payload: .*$/, '')));
}

export interface DumpedRecord {
  readonly offset: number;
  readonly payload: string;
}

/** The records in its output with --print-data-log. */
export function recordsIn(said: string): DumpedRecord[] {
  return [...said.matchAll(/^\| offset: (\d+) .*? payload: (.*)$/gm)].map(([, offset, payload]) => ({
    offset: Number(offset),
    payload: payload ?? '',
  }));
}
