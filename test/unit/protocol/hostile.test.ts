// Any bytes from a socket: decoding ends in a value or in one of the two errors that name the peer's fault, and what it
// builds stays in proportion to what came in. Random messages survive the way out and back.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader, BytesError } from '../../../src/base/bytes.ts';
import { ZERO_UUID } from '../../../src/base/uuid.ts';
import type { AnyApi } from '../../../src/protocol/api.ts';
import { decodeRequestFrame } from '../../../src/protocol/frame.ts';
import { MessageWriter } from '../../../src/protocol/message-writer.ts';
import { ProtocolError } from '../../../src/protocol/protocol-error.ts';
import { ALL_APIS } from '../../../src/protocol/registry.ts';
import { messageOf } from './arbitrary.ts';
import type { GoldenMessage } from './golden.ts';
import { readGolden } from './golden.ts';

const SEED = 4711;
const messages = readGolden();

/** Decodes; undefined if the input was refused as it may be. Anything else thrown fails the test. */
function tryDecode(message: GoldenMessage, body: Buffer): object | undefined {
  const { api, version, side } = message;
  const reader = new ByteReader(body);
  try {
    return side === 'request' ? api.decodeRequest(version, reader) : api.decodeResponse(version, reader);
  } catch (error) {
    if (error instanceof BytesError || error instanceof ProtocolError) return undefined;
    throw error;
  }
}

/** Elements, structs, characters and viewed bytes that decoding built; shared defaults cost nothing. */
function weightOf(value: unknown): number {
  if (typeof value === 'string') return value === ZERO_UUID ? 0 : value.length;
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return 0;
  if (Buffer.isBuffer(value)) return value.length;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + 1 + weightOf(item), 0);
  return Object.values(value).reduce<number>((sum, inner) => sum + weightOf(inner), 1);
}

/** A struct takes at least two bytes and weighs two, as an element and by itself; 16 bytes of id are 22 characters. */
const WEIGHT_PER_BYTE = 2;

function checkHostile(message: GoldenMessage, body: Buffer): void {
  const value = tryDecode(message, body);
  if (value !== undefined) expect(weightOf(value)).toBeLessThanOrEqual(WEIGHT_PER_BYTE * (body.length + 1));
}

const anyMessage = fc.constantFrom(...messages);

describe('hostile input', () => {
  test('cut anywhere', () => {
    const short = messages.filter(({ body }) => body.length < 1200);
    const accepted: string[] = [];
    for (const message of short) {
      for (let length = 0; length < message.body.length; length += 3) {
        if (tryDecode(message, message.body.subarray(0, length))) accepted.push(`${message.label} ${length}`);
      }
    }
    expect(accepted).toEqual([]);
  });

  test('with bytes changed', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 8 });
    const property = fc.property(anyMessage, changes, (message, edits) => {
      const body = Buffer.from(message.body);
      for (const [at, byte] of edits) if (body.length > 0) body[at % body.length] = byte;
      checkHostile(message, body);
    });
    fc.assert(property, { seed: SEED, numRuns: 3000 });
  });

  test('with huge lengths and counts written into it', () => {
    const lengths = fc.constantFrom('7fffffff', '80000000', 'ffffffff', 'ffffffff0f', 'ffffffffff', '00000fff', '7fff');
    const property = fc.property(anyMessage, fc.nat(), lengths, (message, where, hex) => {
      const body = Buffer.from(message.body);
      if (body.length > 0) body.write(hex, where % body.length, 'hex');
      checkHostile(message, body);
    });
    fc.assert(property, { seed: SEED, numRuns: 3000 });
  });

  test('with parts of one message inside another', () => {
    const property = fc.property(anyMessage, anyMessage, fc.nat(), fc.nat(), (message, other, cut, from) => {
      const head = message.body.subarray(0, cut % (message.body.length + 1));
      const tail = other.body.subarray(from % (other.body.length + 1));
      checkHostile(message, Buffer.concat([head, tail]));
    });
    fc.assert(property, { seed: SEED, numRuns: 3000 });
  });

  test('as a whole request frame', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (bytes, known) => {
      const frame = Buffer.from(bytes);
      if (known && frame.length > 3) frame.writeUInt32BE(((frame[1] as number) % 4) * 0x10000 + 9, 0);
      try {
        decodeRequestFrame(frame);
      } catch (error) {
        expect([BytesError, ProtocolError].some((kind) => error instanceof kind)).toBe(true);
      }
    });
    fc.assert(property, { seed: SEED, numRuns: 3000 });
  });
});

describe('random messages come back as they went', () => {
  const versions = (api: AnyApi) => fc.integer({ min: api.minVersion, max: api.maxVersion });

  test.each(ALL_APIS.map((api) => ({ name: api.name, api })))('$name', ({ api }) => {
    const requests = versions(api).chain((version) => fc.tuple(fc.constant(version), messageOf(api.request, version)));
    const request = fc.property(requests, ([version, value]) => {
      const writer = new MessageWriter();
      api.encodeRequest(version, value, writer);
      const reader = new ByteReader(Buffer.concat(writer.parts()));
      expect(api.decodeRequest(version, reader)).toEqual(value);
      expect(reader.remaining).toBe(0);
    });
    fc.assert(request, { seed: SEED, numRuns: 60 });

    const responses = versions(api).chain((version) =>
      fc.tuple(fc.constant(version), messageOf(api.response, version)),
    );
    const response = fc.property(responses, ([version, value]) => {
      const reader = new ByteReader(Buffer.concat(api.encodeResponse(version, value)));
      expect(api.decodeResponse(version, reader)).toEqual(value);
      expect(reader.remaining).toBe(0);
    });
    fc.assert(response, { seed: SEED, numRuns: 60 });
  });
});
