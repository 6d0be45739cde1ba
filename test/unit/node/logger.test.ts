// Log lines as operators and tools read them.
import { describe, expect, it } from 'vitest';
import type { Logger } from '../../../src/env/logger.ts';
import type { LogLevel } from '../../../src/node/logger.ts';
import { createLogger } from '../../../src/node/logger.ts';

type Line = Record<string, unknown>;

function capture(level: LogLevel): { logger: Logger; lines: Line[] } {
  const lines: Line[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line) as Line) };
  return { logger: createLogger({ level, destination }), lines };
}

describe('logger', () => {
  it('writes time, level, event and the facts, and nothing of the process', () => {
    const { logger, lines } = capture('info');
    logger.info('leader-elected', { epoch: 3, leaderId: 1 });
    expect(lines).toEqual([
      { level: 'info', time: expect.stringMatching(/^\d{4}-.*Z$/), event: 'leader-elected', epoch: 3, leaderId: 1 },
    ]);
  });

  it('drops what is below the level', () => {
    const { logger, lines } = capture('warn');
    for (const level of ['debug', 'info', 'warn', 'error'] as const) logger[level](level);
    expect(lines.map((line) => line['event'])).toEqual(['warn', 'error']);
    const silent = capture('silent');
    silent.logger.error('nobody-listens');
    expect(silent.lines).toEqual([]);
  });

  it('adds the fields of a child to each of its lines', () => {
    const { logger, lines } = capture('debug');
    logger.child({ nodeId: 7 }).child({ topic: 'orders' }).debug('fetched', { bytes: 10 });
    expect(lines[0]).toMatchObject({ nodeId: 7, topic: 'orders', bytes: 10, event: 'fetched' });
  });

  it('prints errors with message, stack and cause, under any name', () => {
    const { logger, lines } = capture('info');
    logger.error('disk-failed', {
      error: new Error('cannot sync', { cause: new Error('EIO') }),
      reason: new Error('x'),
    });
    const error = lines[0]?.['error'] as Line;
    expect(error).toMatchObject({ type: 'Error', message: 'cannot sync', cause: { message: 'EIO' } });
    expect(error['stack']).toContain('logger.test.ts');
    expect(lines[0]?.['reason']).toMatchObject({ message: 'x' });
  });
});
