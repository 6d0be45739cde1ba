// Completes package-lock.json after a dependency changed: npm leaves out the packages of other platforms where it cannot
// see them, and `npm ci` then refuses the lock. Their version is the one their parent names; os, cpu and libc are in
// their name. `--check` writes nothing and fails where something is missing.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const PROCESSORS = { 'arm-eabi': 'arm', 'arm-gnueabihf': 'arm', 'arm-musleabihf': 'arm', armv7: 'arm' };
const LIBRARIES = { gnu: 'glibc', gnueabihf: 'glibc', musl: 'musl', musleabihf: 'musl' };

/** The platform in a name such as `@scope/binding-linux-x64-musl`, as npm writes it; undefined for any other package. */
function platformOf(name) {
  const [system, processor, library] = name.split(/[/-]/).reduce((rest, part) => {
    return rest.length > 0 || SYSTEMS.includes(part) ? [...rest, part] : rest;
  }, []);
  if (system === undefined || processor === undefined) return undefined;
  return {
    os: [system],
    cpu: [PROCESSORS[library === undefined ? processor : `${processor}-${library}`] ?? processor],
    ...(system === 'linux' && LIBRARIES[library] !== undefined ? { libc: [LIBRARIES[library]] } : {}),
  };
}

const path = join(import.meta.dirname, '../package-lock.json');
const lock = JSON.parse(readFileSync(path, 'utf8'));
const missing = Object.values(lock.packages).flatMap((parent) =>
  Object.entries(parent.optionalDependencies ?? {})
    .filter(([name]) => lock.packages[`node_modules/${name}`] === undefined)
    .map(([name, version]) => ({ name, version, dev: parent.dev === true })),
);

if (process.argv.includes('--check')) {
  for (const { name, version } of missing) console.error(`package-lock.json lacks ${name}@${version}`);
  if (missing.length > 0) process.exitCode = 1;
} else {
  for (const { name, version, dev } of missing) {
    const platform = platformOf(name);
    if (platform === undefined || !/^\d/.test(version)) throw new Error(`${name}@${version} names no platform`);
    lock.packages[`node_modules/${name}`] = { version, ...(dev ? { dev } : {}), optional: true, ...platform };
  }
  const [root, ...rest] = Object.entries(lock.packages);
  lock.packages = Object.fromEntries([root, ...rest.sort(([a], [b]) => a.localeCompare(b, 'en'))]);
  writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
}
