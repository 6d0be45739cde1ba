// What Kafka clients are told when the controllers do not carry a command out.
import { expect, it } from 'vitest';
import { describeFailure } from '../../../src/broker/topic-commands.ts';
import { RpcError } from '../../../src/env/network.ts';
import { ErrorCode } from '../../../src/protocol/error-codes.ts';

it.each([
  ['UNAVAILABLE', 'refused', 'NOT_CONTROLLER'],
  ['FAILED_PRECONDITION', undefined, 'NOT_CONTROLLER'],
  ['CANCELLED', 'refused', 'NOT_CONTROLLER'],
  ['UNAVAILABLE', undefined, 'REQUEST_TIMED_OUT'],
  ['UNAVAILABLE', 'broken', 'REQUEST_TIMED_OUT'],
  ['CANCELLED', 'broken', 'REQUEST_TIMED_OUT'],
  ['DEADLINE_EXCEEDED', undefined, 'REQUEST_TIMED_OUT'],
  ['RESOURCE_EXHAUSTED', undefined, 'THROTTLING_QUOTA_EXCEEDED'],
  ['INVALID_ARGUMENT', undefined, 'INVALID_REQUEST'],
  ['INTERNAL', undefined, 'UNKNOWN_SERVER_ERROR'],
] as const)(
  'C-9.1: %s (transport %s) is %s: only what was surely not done may be repeated unasked',
  (status, transport, name) => {
    const failure = describeFailure(new RpcError(status, 'why', transport));
    expect(failure).toEqual({ code: ErrorCode[name], message: 'why' });
  },
);

it('C-9.1: nothing is what NOT_CONTROLLER says that may have been done, whatever the status', () => {
  const detail = { reason: 'NO_MAJORITY', mayTakeEffect: true, controllerId: -1 };
  for (const status of ['FAILED_PRECONDITION', 'UNAVAILABLE', 'RESOURCE_EXHAUSTED'] as const) {
    const failure = describeFailure(new RpcError(status, 'why', 'refused', detail));
    expect(failure).toEqual({ code: ErrorCode.REQUEST_TIMED_OUT, message: 'why' });
  }
});

it('a bug is no answer', () => {
  expect(() => describeFailure(new Error('bug'))).toThrow('bug');
});
