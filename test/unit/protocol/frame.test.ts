// Whole frames and headers: what a socket carries, for known and unknown APIs and versions.
import { expect, test } from 'vitest';
import { apiVersionsApi } from '../../../src/protocol/apis/api-versions.ts';
import { fetchApi } from '../../../src/protocol/apis/fetch.ts';
import { metadataApi } from '../../../src/protocol/apis/metadata.ts';
import { ErrorCode } from '../../../src/protocol/error-codes.ts';
import {
  decodeRequestFrame,
  decodeResponseFrame,
  encodeRequestFrame,
  encodeResponseFrame,
  peekCorrelationId,
} from '../../../src/protocol/frame.ts';
import { ProtocolError } from '../../../src/protocol/protocol-error.ts';
import { ALL_APIS, advertisedVersions } from '../../../src/protocol/registry.ts';

/** Checks the size in front and returns what follows it. */
function unframed(parts: Buffer[]): Buffer {
  const whole = Buffer.concat(parts);
  expect(whole.readInt32BE(0)).toBe(whole.length - 4);
  return whole.subarray(4);
}

test('a request goes out and comes in with its header', () => {
  for (const apiVersion of [1, 12]) {
    const parts = encodeRequestFrame(metadataApi, { apiVersion, correlationId: 5, clientId: null }, { topics: null });
    const { header, api, reader } = decodeRequestFrame(unframed(parts));
    expect(header).toEqual({ apiKey: 3, apiVersion, correlationId: 5, clientId: null });
    expect(api).toBe(metadataApi);
    expect(metadataApi.decodeRequest(apiVersion, reader)).toMatchObject({ topics: null, allowAutoTopicCreation: true });
    expect(reader.remaining).toBe(0);
  }
});

test('a response goes out and comes in, its records by reference', () => {
  const records = Buffer.from('batch');
  const partition = { partitionIndex: 0, errorCode: 0, highWatermark: 9, abortedTransactions: null, records };
  const parts = encodeResponseFrame(fetchApi, 17, 6, { responses: [{ partitions: [partition] }] });
  expect(parts).toContain(records);
  const frame = unframed(parts);
  expect(peekCorrelationId(frame)).toBe(6);
  const { correlationId, response } = decodeResponseFrame(fetchApi, 17, frame);
  expect(correlationId).toBe(6);
  expect(response.responses[0]?.partitions[0]).toMatchObject({ highWatermark: 9, records, preferredReadReplica: -1 });
});

test('an ApiVersions request of the future can be read up to its body, and answered in version 0', () => {
  const future = Buffer.from('0012' + '0063' + '00000001' + '0001' + '61' + '00' + 'ffff', 'hex');
  const { header, api } = decodeRequestFrame(future);
  expect(header).toEqual({ apiKey: 18, apiVersion: 99, correlationId: 1, clientId: 'a' });
  expect(api?.supports(header.apiVersion)).toBe(false);
  const apiKeys = advertisedVersions([apiVersionsApi]);
  const answer = { errorCode: ErrorCode.UNSUPPORTED_VERSION, apiKeys };
  expect(unframed(encodeResponseFrame(apiVersionsApi, 0, 1, answer)).toString('hex')).toBe(
    '00000001' + '0023' + '00000001' + '0012' + '0000' + '0004',
  );
});

test('a request for an unknown API has a header and no definition', () => {
  const { header, api } = decodeRequestFrame(Buffer.from('0fff' + '0000' + '00000007' + 'ffff', 'hex'));
  expect(header).toEqual({ apiKey: 0xfff, apiVersion: 0, correlationId: 7, clientId: null });
  expect(api).toBeUndefined();
});

test('tagged fields in headers are skipped', () => {
  const frame = Buffer.from('0003' + '000c' + '00000007' + 'ffff' + '01' + '0503aabbcc' + '00', 'hex');
  expect(decodeRequestFrame(frame).reader.position).toBe(16);
});

test('versions that we do not serve are refused', () => {
  expect(() => fetchApi.encodeResponse(3, { responses: [] })).toThrow(ProtocolError);
  expect(() => fetchApi.encodeResponse(18, { responses: [] })).toThrow('FetchResponse v18 is not supported');
});

test('what is advertised is what is given, by key, with the lie about Produce', () => {
  const advertised = advertisedVersions(ALL_APIS);
  expect(advertised).toEqual([
    { apiKey: 0, minVersion: 0, maxVersion: 11 },
    { apiKey: 1, minVersion: 4, maxVersion: 17 },
    { apiKey: 2, minVersion: 1, maxVersion: 9 },
    { apiKey: 3, minVersion: 0, maxVersion: 12 },
    { apiKey: 10, minVersion: 0, maxVersion: 4 },
    { apiKey: 18, minVersion: 0, maxVersion: 4 },
    { apiKey: 19, minVersion: 2, maxVersion: 7 },
    { apiKey: 20, minVersion: 1, maxVersion: 6 },
    { apiKey: 21, minVersion: 0, maxVersion: 2 },
    { apiKey: 22, minVersion: 0, maxVersion: 5 },
    { apiKey: 23, minVersion: 2, maxVersion: 4 },
    { apiKey: 35, minVersion: 1, maxVersion: 4 },
    { apiKey: 55, minVersion: 0, maxVersion: 2 },
    { apiKey: 60, minVersion: 0, maxVersion: 2 },
  ]);
  expect(advertisedVersions([metadataApi, fetchApi]).map(({ apiKey }) => apiKey)).toEqual([1, 3]);
});
