// Kafka's own bytes, both ways: what we decode is what Kafka says they mean, and what we encode is what Kafka wrote.
import { describe, expect, test } from 'vitest';
import { ByteReader, BytesError } from '../../../src/base/bytes.ts';
import { compileDecoder } from '../../../src/protocol/decode.ts';
import { compileEncoder } from '../../../src/protocol/encode.ts';
import {
  decodeRequestHeader,
  decodeResponseHeader,
  encodeRequestHeader,
  encodeResponseHeader,
} from '../../../src/protocol/header.ts';
import { MessageWriter } from '../../../src/protocol/message-writer.ts';
import { ALL_APIS } from '../../../src/protocol/registry.ts';
import type { GoldenMessage } from './golden.ts';
import { exceedsSafeIntegers, fromJson, readGolden, sizeOnly, widened } from './golden.ts';

const messages = readGolden();

function decode(message: GoldenMessage, reader: ByteReader): object {
  const { api, version, side } = message;
  return side === 'request' ? api.decodeRequest(version, reader) : api.decodeResponse(version, reader);
}

function encode(message: GoldenMessage, value: object): Buffer {
  const { api, version, side } = message;
  if (side === 'response') return Buffer.concat(api.encodeResponse(version, value));
  const writer = new MessageWriter();
  api.encodeRequest(version, value, writer);
  return Buffer.concat(writer.parts());
}

describe.each(ALL_APIS.map((api) => ({ name: api.name, api })))('$name', ({ api }) => {
  for (const side of ['request', 'response'] as const) {
    const ours = messages.filter((message) => message.api === api && message.side === side);

    test(`has a full ${side} of Kafka's in every version`, () => {
      const versions = ours.filter((message) => message.kind === 'full').map((message) => message.version);
      const expected = Array.from({ length: api.maxVersion - api.minVersion + 1 }, (_, i) => api.minVersion + i);
      expect(versions).toEqual(expected);
    });

    test(`decodes and encodes every ${side} as Kafka does`, () => {
      for (const message of ours) {
        if (exceedsSafeIntegers(api[side], fromJson(api[side], message.version, message.json))) continue;
        const reader = new ByteReader(message.body);
        const value = decode(message, reader);
        expect(reader.remaining, message.label).toBe(0);
        expect(sizeOnly(api[side], value), message.label).toEqual(fromJson(api[side], message.version, message.json));
        expect(encode(message, value).toString('hex'), message.label).toBe(message.body.toString('hex'));
      }
    });

    test(`decodes and encodes every ${side} with numbers of any size as Kafka does`, () => {
      const schema = widened(api[side]);
      for (const { label, version, body, json } of ours) {
        const flexible = version >= api.flexibleFrom;
        const reader = new ByteReader(body);
        const value = compileDecoder(schema, version, flexible, label)(reader);
        expect(reader.remaining, label).toBe(0);
        expect(sizeOnly(schema, value), label).toEqual(fromJson(schema, version, json));
        const writer = new MessageWriter();
        compileEncoder(schema, version, flexible, label)(writer, value);
        expect(Buffer.concat(writer.parts()).toString('hex'), label).toBe(body.toString('hex'));
      }
    });

    test(`refuses a ${side} whose offsets or ids are beyond the safe integers`, () => {
      for (const message of ours) {
        if (!exceedsSafeIntegers(api[side], fromJson(api[side], message.version, message.json))) continue;
        expect(() => decode(message, new ByteReader(message.body)), message.label).toThrow(BytesError);
      }
    });
  }

  test('has the headers that Kafka gives it', () => {
    for (const message of messages.filter((candidate) => candidate.api === api)) {
      const { version, label, header, headerVersion } = message;
      const reader = new ByteReader(header);
      const writer = new MessageWriter();
      if (message.side === 'request') {
        const ours = api.requestHeaderVersion(version);
        expect(ours, label).toBe(headerVersion);
        const decoded = decodeRequestHeader(reader, () => ours);
        expect(decoded, label).toEqual({ apiKey: api.key, apiVersion: version, correlationId: 7, clientId: 'golden' });
        encodeRequestHeader(writer, decoded, ours);
      } else {
        const ours = api.responseHeaderVersion(version);
        expect(ours, label).toBe(headerVersion);
        expect(decodeResponseHeader(reader, ours), label).toBe(7);
        encodeResponseHeader(writer, 7, ours);
      }
      expect(reader.remaining, label).toBe(0);
      expect(writer.finish().toString('hex'), label).toBe(header.toString('hex'));
    }
  });
});
