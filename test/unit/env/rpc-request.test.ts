// Requests that cannot be read, and which field it is.
import { expect, test } from 'vitest';
import { RpcError } from '../../../src/env/network.ts';
import { readRequest } from '../../../src/env/rpc-request.ts';
import {
  AdminServiceDefinition,
  CreateTopicsRequest,
  DiffMetadataRequest,
  WatchMetadataRequest,
} from '../../../src/gen/kvorum/v1/admin.ts';
import { AlterPartitionRequest, ControllerServiceDefinition } from '../../../src/gen/kvorum/v1/controller.ts';

const { createTopics, watchMetadata, diffMetadata } = AdminServiceDefinition.methods;
const { alterPartition } = ControllerServiceDefinition.methods;

/** Seven bytes in a message; what replaces them is 2^63 - 1, in nine. */
const MARK = 2 ** 49 - 1;
function tooLarge(bytes: Uint8Array): Buffer {
  const mark = Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
  const at = Buffer.from(bytes).indexOf(mark);
  expect(at).toBeGreaterThan(0);
  const large = Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
  return Buffer.concat([bytes.subarray(0, at), large, bytes.subarray(at + mark.length)]);
}

function failureOf(read: () => unknown): RpcError {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(RpcError);
    return error as RpcError;
  }
  throw new Error('it was read');
}

test('a 64-bit number that is too large is named', () => {
  const offset = tooLarge(WatchMetadataRequest.encode({ fromOffset: MARK, untilNow: true }).finish());
  const error = failureOf(() => readRequest(watchMetadata, offset));
  expect([error.status, error.detail?.reason]).toEqual(['INVALID_ARGUMENT', 'INVALID_from_offset']);
  expect(error.message).toBe(
    'the request of WatchMetadata cannot be read: from_offset is beyond 2^53 - 1, or below -(2^53 - 1)',
  );
  const second = tooLarge(DiffMetadataRequest.encode({ fromOffset: 3, toOffset: MARK }).finish());
  expect(failureOf(() => readRequest(diffMetadata, second)).detail?.reason).toBe('INVALID_to_offset');
});

test('so is one below the range', () => {
  const lowest = Buffer.from([0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]);
  expect(failureOf(() => readRequest(watchMetadata, lowest)).detail?.reason).toBe('INVALID_from_offset');
});

test('text that reads like a field is passed over', () => {
  const text = Buffer.from([0x0a, 0x0a, 0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
  const name = Buffer.concat([Buffer.from([0x0a, text.length]), text]);
  const deep = { topics: [], validateOnly: false, forwarded: false, command: { clientId: 'x', sequence: MARK } };
  const encoded = tooLarge(CreateTopicsRequest.encode(deep).finish());
  // The sequence lies one deeper than its command, whose size has grown by two bytes.
  const at = encoded.indexOf(Buffer.from([0x72]));
  encoded[at + 1] = (encoded[at + 1] ?? 0) + 2;
  const error = failureOf(() => readRequest(createTopics, Buffer.concat([name, encoded])));
  expect(error.detail?.reason).toBe('INVALID_command.sequence');
});

test('one in an item of a list is named by the list', () => {
  const partition = { topicId: 't', partition: 0, leaderEpoch: 0, partitionEpoch: 0, recovering: false };
  const isr = [{ brokerId: 4, brokerEpoch: MARK }];
  const bytes = AlterPartitionRequest.encode({ brokerId: 4, brokerEpoch: 5, partitions: [{ ...partition, isr }] });
  const encoded = tooLarge(bytes.finish());
  const at = encoded.indexOf(0x1a);
  encoded[at + 1] = (encoded[at + 1] ?? 0) + 2;
  const inner = encoded.indexOf(0x2a, at);
  encoded[inner + 1] = (encoded[inner + 1] ?? 0) + 2;
  expect(failureOf(() => readRequest(alterPartition, encoded)).detail?.reason).toBe(
    'INVALID_partitions.isr.broker_epoch',
  );
});

test('other bytes are no message', () => {
  const error = failureOf(() => readRequest(watchMetadata, Buffer.from([0x0a, 0x7f])));
  expect([error.status, error.detail?.reason]).toEqual(['INVALID_ARGUMENT', 'INVALID_MESSAGE']);
});
