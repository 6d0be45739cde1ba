#!/usr/bin/env node
// Where `kvorum` begins. libuv reads the size of its thread pool once, before the first ES module is loaded: hence CommonJS. One
// fsync in flight per log, beside reads, wants more than the four threads it has by default.
process.env['UV_THREADPOOL_SIZE'] ??= '16';

void import('./main.ts');
