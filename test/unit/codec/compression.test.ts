import * as fc from 'fast-check';
import { compressFrameSync } from 'lz4-napi';
import { beforeAll, describe, expect, test } from 'vitest';
import { COMPRESSION_TYPES, compress, decompress, loadCodecs } from '../../../src/codec/compression.ts';
import { CodecError } from '../../../src/codec/error.ts';

beforeAll(loadCodecs);

const compressed = COMPRESSION_TYPES.filter((type) => type !== 'none');
const text = Buffer.from('the quick brown fox jumps over the lazy dog, '.repeat(400));

describe.each(COMPRESSION_TYPES)('%s', (type) => {
  test('round trip of any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), fc.integer({ min: 1, max: 40 }), (bytes, times) => {
        const input = Buffer.concat(Array.from({ length: times }, () => bytes));
        expect(decompress(type, compress(type, input), input.length).equals(input)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  test('one byte more than allowed is refused', () => {
    const packed = compress(type, text);
    expect(decompress(type, packed, text.length).equals(text)).toBe(true);
    expect(() => decompress(type, packed, text.length - 1)).toThrow(CodecError);
    expect(() => decompress(type, packed, 0)).toThrow(CodecError);
  });
});

describe.each(compressed)('%s', (type) => {
  test('a bomb is refused without being decoded whole', () => {
    const bomb = compress(type, Buffer.alloc(30_000_000));
    expect(() => decompress(type, bomb, 1_000_000)).toThrow(CodecError);
  });

  test('damaged input is a CodecError or some bytes within the limit', () => {
    const packed = compress(type, text);
    fc.assert(
      fc.property(
        fc.array(fc.record({ at: fc.nat({ max: packed.length - 1 }), byte: fc.integer({ min: 0, max: 255 }) }), {
          minLength: 1,
          maxLength: 6,
        }),
        fc.nat({ max: packed.length }),
        (changes, length) => {
          const damaged = Buffer.from(packed);
          for (const { at, byte } of changes) damaged[at] = byte;
          try {
            const limit = text.length * 2;
            expect(decompress(type, damaged.subarray(0, length), limit).length).toBeLessThanOrEqual(limit);
          } catch (error) {
            expect(error).toBeInstanceOf(CodecError);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('cut input is a CodecError', () => {
    const packed = compress(type, text);
    // Snappy's framing has no end of its own: a cut between chunks is a shorter stream.
    for (const keep of [1, 5, 9, Math.floor(packed.length / 2), packed.length - 1]) {
      expect(() => decompress(type, packed.subarray(0, keep), 1_000_000)).toThrow(CodecError);
    }
  });

  test('the same input compresses to the same bytes', () => {
    expect(compress(type, text).equals(compress(type, Buffer.from(text)))).toBe(true);
  });
});

describe('what other encoders write', () => {
  test.each(['gzip', 'lz4', 'zstd'] as const)('%s: concatenated frames', (type) => {
    const two = Buffer.concat([compress(type, Buffer.from('one ')), compress(type, Buffer.from('two'))]);
    expect(decompress(type, two, 7).toString()).toBe('one two');
    expect(() => decompress(type, two, 6)).toThrow(CodecError);
  });

  test('raw snappy, as python clients write it', () => {
    const raw = Buffer.from('0b2868656c6c6f20776f726c64', 'hex');
    expect(decompress('snappy', raw, 11).toString()).toBe('hello world');
    expect(() => decompress('snappy', raw, 10)).toThrow(CodecError);
  });

  test('snappy chunks written one after the other', () => {
    const chunk = '0000000d0b2868656c6c6f20776f726c64';
    const framed = Buffer.from(`82534e41505059000000000100000001${chunk}${chunk}`, 'hex');
    expect(decompress('snappy', framed, 100).toString()).toBe('hello worldhello world');
  });

  test('a snappy block that claims four gigabytes', () => {
    expect(() => decompress('snappy', Buffer.from('ffffffff0f00', 'hex'), 2 ** 33)).toThrow(CodecError);
  });

  test('zstd without content size, raw and RLE blocks', () => {
    // Magic, descriptor (window only), window; raw block 'abc', then a last RLE block of 5 times 'z'.
    const frame = Buffer.from('28b52ffd0058180000616263' + '2b00007a', 'hex');
    expect(decompress('zstd', frame, 8).toString()).toBe('abczzzzz');
    expect(() => decompress('zstd', frame, 7)).toThrow(CodecError);
  });

  test('zstd frames to be skipped hold nothing', () => {
    const skipped = Buffer.from('502a4d1803000000616263', 'hex');
    const frames = Buffer.concat([skipped, compress('zstd', Buffer.from('hello')), skipped]);
    expect(decompress('zstd', frames, 5).toString()).toBe('hello');
    expect(() => decompress('zstd', frames.subarray(0, frames.length - 1), 5)).toThrow(CodecError);
  });

  test('a zstd frame that declares more than its blocks hold', () => {
    const lying = Buffer.from(compress('zstd', Buffer.from('hello')));
    lying[5] = 200;
    expect(() => decompress('zstd', lying, 1_000_000)).toThrow(CodecError);
  });

  test('LZ4 frames with block and content checksums', () => {
    const frame = compressFrameSync(text, { blockChecksums: true, contentChecksum: true });
    expect(frame.readUInt8(4) & 0x14).toBe(0x14);
    expect(decompress('lz4', Buffer.concat([frame, frame]), 2 * text.length).length).toBe(2 * text.length);
    frame.writeUInt8(frame.readUInt8(frame.length - 1) ^ 1, frame.length - 1);
    expect(() => decompress('lz4', frame, text.length)).toThrow(CodecError);
  });
});
