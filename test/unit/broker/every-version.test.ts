// Every API at every version that is advertised: whatever Kafka's own clients may ask is answered in that version, and the
// answer can be read. A field that a version cannot carry would close the connection.
import { expect, test } from 'vitest';
import { SERVED_APIS } from '../../../src/broker/routes.ts';
import { apiVersionsApi } from '../../../src/protocol/apis/api-versions.ts';
import { fetchApi } from '../../../src/protocol/apis/fetch.ts';
import { produceApi } from '../../../src/protocol/apis/produce.ts';
import { decodeResponseFrame } from '../../../src/protocol/frame.ts';
import { exceedsSafeIntegers, fromJson, readGolden } from '../protocol/golden.ts';
import { batchOf, rawFrame, withNode } from './bench.ts';

const requests = readGolden().filter(
  ({ side, api, version, json }) =>
    side === 'request' && !exceedsSafeIntegers(api.request, fromJson(api.request, version, json)),
);

test('golden requests of every API and version get an answer that can be read', async () => {
  const answered = new Set<string>();
  await withNode(async ({ connect }) => {
    for (const [i, { api, version, body, headerVersion, label, json }] of requests.entries()) {
      const wire = await connect();
      const answer = wire.frameOf(i).catch(() => 'closed' as const);
      const next = wire.frameOf(-1).catch(() => 'closed' as const);
      wire.send([rawFrame(api.key, version, i, body, headerVersion as 1 | 2)]);
      wire.send([rawFrame(apiVersionsApi.key, 0, -1, Buffer.alloc(0), 1)]);
      await next;
      if (wire.answered.includes(i)) {
        const { correlationId } = decodeResponseFrame(api, version, (await answer) as Buffer);
        expect(correlationId).toBe(i);
        answered.add(`${api.key} ${version}`);
        expect(wire.answered).toEqual([i, -1]);
      } else {
        // Behaviour 2: with acks=0 nothing is answered.
        expect({ label, acks: json['acks'] }).toEqual({ label: expect.stringContaining('Produce'), acks: 0 });
      }
      wire.stream.close('abort');
    }
  });
  const expected = SERVED_APIS.flatMap(({ key, minVersion, maxVersion }) =>
    Array.from({ length: maxVersion - minVersion + 1 }, (_, i) => `${key} ${minVersion + i}`),
  );
  expect([...answered].sort()).toEqual(expected.sort());
}, 20_000);

test('every version of Produce and Fetch moves a batch', async () => {
  await withNode(async ({ connectWith }) => {
    const wire = await connectWith({ t: {} });
    const topicId = await wire.topicIdOf('t');
    let offset = 0;
    for (let version = produceApi.minVersion; version <= produceApi.maxVersion; version++) {
      expect(await wire.produce('t', batchOf(2), { version })).toMatchObject({ errorCode: 0, baseOffset: offset });
      offset += 2;
    }
    for (let version = fetchApi.minVersion; version <= fetchApi.maxVersion; version++) {
      const topic = version >= 13 ? { topicId } : { topic: 't' };
      const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }];
      const request = { maxWaitMs: 0, minBytes: 1, topics: [{ ...topic, partitions }] };
      const { responses } = await wire.ask(fetchApi, version, request);
      expect(responses[0]).toMatchObject(topic);
      expect(responses[0]?.partitions[0]).toMatchObject({ errorCode: 0, highWatermark: offset });
      expect(responses[0]?.partitions[0]?.records?.length).toBeGreaterThan(0);
    }
  });
});

test('ApiVersions says what is served, and answers an unknown version in version 0 with error 35', async () => {
  await withNode(async ({ connect }) => {
    const wire = await connect();
    const known = await wire.ask(apiVersionsApi, 3, { clientSoftwareName: 'a-b', clientSoftwareVersion: '1.0' });
    expect(known.errorCode).toBe(0);
    expect(known.apiKeys.find(({ apiKey }) => apiKey === 0)).toEqual({ apiKey: 0, minVersion: 0, maxVersion: 11 });
    expect(known.apiKeys.map(({ apiKey }) => apiKey)).toEqual(SERVED_APIS.map(({ key }) => key).sort((a, b) => a - b));
    for (const software of ['', '-x', 'a b']) {
      const request = { clientSoftwareName: software, clientSoftwareVersion: '1' };
      expect((await wire.ask(apiVersionsApi, 4, request)).errorCode).toBe(42);
    }
    const answer = wire.frameOf(7);
    wire.send([rawFrame(apiVersionsApi.key, 99, 7, Buffer.from('0678', 'hex'), 2)]);
    const { response } = decodeResponseFrame(apiVersionsApi, 0, await answer);
    expect(response).toMatchObject({ errorCode: 35, apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 4 }] });
    expect(wire.closed).toBe(false);
  });
});
