// The floors of the house as rules: what a folder under src/ may import. src/README.md shows the same table, and
// test/tidy compares the two. Type imports count. Packages and node's own modules are listed where they are allowed.

/** folder → the other folders it may import */
const floors = {
  base: [],
  gen: [],
  env: ['base'],
  config: ['base'],
  codec: ['base'],
  check: ['base'],
  record: ['base', 'codec'],
  protocol: ['base', 'record'],
  raft: ['base'],
  metadata: ['base', 'gen'],
  log: ['base', 'env', 'config', 'codec', 'record'],
  quorum: ['base', 'gen', 'env', 'config', 'raft'],
  client: ['base', 'gen', 'env', 'record', 'protocol'],
  controller: ['base', 'gen', 'env', 'config', 'metadata', 'quorum', 'client'],
  replica: ['base', 'env', 'config', 'record', 'protocol', 'metadata', 'log', 'client'],
};
const without = (...names) => Object.keys(floors).filter((floor) => !names.includes(floor));
floors.broker = without('raft', 'controller');
floors.server = without();
floors.node = without();
floors.sim = without('node');
floors.testing = ['config', 'client', 'server', 'node', 'sim'];
floors.cli = without();

/** folder → npm packages and node modules it may import; none where it is not named */
const outside = {
  gen: ['@bufbuild/protobuf'],
  codec: ['node:module', 'node:zlib', '@bokuweb/zstd-wasm', '@node-rs/crc32', 'lz4-napi', 'snappy'],
  metadata: ['immutable'],
};
/** The real windows: anything of node's, and these packages. */
const windows = ['node', 'testing', 'cli'];
const windowPackages = ['@grpc/[^/]+', 'commander', 'grpc-health-check', 'level', 'pino', 'yaml'];

const either = (names) => `(${names.join('|')})`;

const floorRules = Object.entries(floors).map(([floor, imports]) => ({
  name: `floor-${floor}`,
  comment: `${floor}/ may import: ${imports.join(', ') || 'nothing'}`,
  severity: 'error',
  from: { path: `^src/${floor}/` },
  to: { path: '^src/', pathNot: `^src/${either([floor, ...imports])}/` },
}));

const outsideRules = Object.keys(floors)
  .filter((floor) => !windows.includes(floor))
  .map((floor) => {
    const allowed = outside[floor] ?? [];
    const modules = allowed.filter((name) => name.startsWith('node:')).map((name) => `^${name.slice(5)}$`);
    const packages = allowed.filter((name) => !name.startsWith('node:')).map((name) => `node_modules/${name}/`);
    return {
      name: `outside-${floor}`,
      comment: `${floor}/ may import from outside the house: ${allowed.join(', ') || 'nothing'}`,
      severity: 'error',
      from: { path: `^src/${floor}/` },
      to: { pathNot: ['^src/', '^\\.', ...modules, ...packages] },
    };
  });

module.exports = {
  forbidden: [
    ...floorRules,
    ...outsideRules,
    {
      name: 'outside-windows',
      comment: `${windows.join(', ')} may import node's modules and: ${windowPackages.join(', ')}`,
      severity: 'error',
      from: { path: `^src/${either(windows)}/` },
      to: { dependencyTypesNot: ['core'], pathNot: ['^src/', '^\\.', `node_modules/${either(windowPackages)}/`] },
    },
    {
      name: 'testing-types-only',
      comment: 'testing/ composes nodes through node/ and sim/; of server/ and config/ it may name types',
      severity: 'error',
      from: { path: '^src/testing/' },
      to: { path: '^src/(config|server)/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-room-without-a-floor',
      comment: 'every file under src/ lies in a folder that has its row here and in src/README.md',
      severity: 'error',
      from: { path: '^src/', pathNot: `^src/${either(Object.keys(floors))}/` },
      to: {},
    },
    { name: 'no-cycles', severity: 'error', from: { path: '^src/' }, to: { circular: true } },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-src-on-tests',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench|scripts)/' },
    },
    {
      name: 'no-development-packages',
      comment: 'what ships uses what users install',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'types'] },
    moduleSystems: ['es6', 'cjs'],
    exoticRequireStrings: [],
  },
};
