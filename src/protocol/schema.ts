// The language in which Kafka's messages are declared: plain data about fields, from which the TypeScript types here
// and the codecs of every version (decode.ts, encode.ts) are derived. Field names, types, version ranges, defaults,
// tags and ignorability are Kafka's; the order of the properties of a struct is the order on the wire.
import { assert } from '../base/assert.ts';
import type { Uuid } from '../base/uuid.ts';
import { ZERO_UUID } from '../base/uuid.ts';

/** `3+` from 3 on, `0-12` both inclusive, `7` only that one. */
export type VersionRange = `${number}+` | `${number}-${number}` | `${number}`;

/** Inclusive bounds; `min > max` holds for no version. */
export interface Versions {
  readonly min: number;
  readonly max: number;
}

/** Kinds without inner fields. `wide64` is int64 on the wire, but also takes numbers beyond the safe integers. */
export type ScalarKind =
  | 'bool'
  | 'int8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'wide64'
  | 'float64'
  | 'uuid'
  | 'string'
  | 'bytes'
  | 'records';

// Never set at run time: they carry the derived types from the declaration to `Decoded` and `Encodable`.
declare const DECODED: unique symbol;
declare const ENCODABLE: unique symbol;
declare const OMITTABLE: unique symbol;

interface FieldBase<Out, In, Omittable extends boolean> {
  /** Versions whose messages hold this field; in others it decodes to its default. */
  readonly versions: Versions;
  /** Versions in which the value may be null. */
  readonly nullable: Versions;
  /** Whether a value may be dropped silently where the version lacks the field. */
  readonly ignorable: boolean;
  /** Number of a tagged field: absent from the bytes while it has its default. */
  readonly tag: number | undefined;
  /** The default, frozen if it is an object. */
  readonly defaultValue: unknown;
  readonly [DECODED]: Out;
  readonly [ENCODABLE]: In;
  readonly [OMITTABLE]: Omittable;
}

export interface ScalarField<Out = unknown, In = unknown, Omittable extends boolean = boolean>
  extends FieldBase<Out, In, Omittable> {
  readonly kind: ScalarKind;
}

export interface ArrayField<Out = unknown, In = unknown, Omittable extends boolean = boolean>
  extends FieldBase<Out, In, Omittable> {
  readonly kind: 'array';
  readonly element: Field;
}

export interface StructField<Out = unknown, In = unknown, Omittable extends boolean = boolean>
  extends FieldBase<Out, In, Omittable> {
  readonly kind: 'struct';
  readonly fields: Fields;
}

export type Field = ScalarField | ArrayField | StructField;
export type Fields = Readonly<Record<string, Field>>;

/** What decoding gives: every field of every version, absent ones as their default. */
export type Decoded<F extends Field> = F[typeof DECODED];

/** What encoding takes: as decoded, but fields with a declared default and tagged fields may be left out. */
export type Encodable<F extends Field> = F[typeof ENCODABLE];

type Simplify<T> = { [K in keyof T]: T[K] } & {};
type DecodedFields<F extends Fields> = Simplify<{ readonly [K in keyof F]: Decoded<F[K]> }>;
type OmittableKeys<F extends Fields> = {
  [K in keyof F]: F[K][typeof OMITTABLE] extends true ? K : never;
}[keyof F];
type EncodableFields<F extends Fields> = Simplify<
  { readonly [K in Exclude<keyof F, OmittableKeys<F>>]: Encodable<F[K]> } & {
    readonly [K in OmittableKeys<F>]?: Encodable<F[K]> | undefined;
  }
>;

interface Options<T> {
  readonly versions?: VersionRange;
  readonly default?: T;
  readonly ignorable?: boolean;
  readonly tag?: number;
}
interface NullableOptions<T> extends Options<T | null> {
  readonly nullable?: VersionRange;
}

/** Refuses misspelt options at compile time. */
type Exact<O, Allowed> = O & { readonly [K in Exclude<keyof O, keyof Allowed>]: never };
type IsOmittable<O> = O extends { default: unknown } | { tag: number } ? true : false;
type NullIf<O> = O extends { nullable: VersionRange } ? null : never;

const ALL_VERSIONS: Versions = { min: 0, max: Number.POSITIVE_INFINITY };
const NO_VERSIONS: Versions = { min: 0, max: -1 };

/** Inclusive bounds of a range text. */
export function parseVersions(range: VersionRange): Versions {
  const match = /^(\d+)(?:(\+)|-(\d+))?$/.exec(range);
  assert(match, () => `'${range}' is no version range`);
  const min = Number(match[1]);
  if (match[2] !== undefined) return { min, max: Number.POSITIVE_INFINITY };
  return { min, max: match[3] === undefined ? min : Number(match[3]) };
}

export function hasVersion(versions: Versions, version: number): boolean {
  return version >= versions.min && version <= versions.max;
}

type AnyOptions = NullableOptions<unknown>;

function fieldBase(options: AnyOptions | undefined, implicitDefault: unknown) {
  const { versions, nullable, ignorable, tag } = options ?? {};
  return {
    versions: versions === undefined ? ALL_VERSIONS : parseVersions(versions),
    nullable: nullable === undefined ? NO_VERSIONS : parseVersions(nullable),
    ignorable: ignorable ?? false,
    tag,
    defaultValue: options?.default === undefined ? implicitDefault : Object.freeze(options.default),
  };
}

/** `never`, since the phantom symbols are types only: each caller says what it is. */
function scalar(kind: ScalarKind, options: AnyOptions | undefined, implicitDefault: unknown): never {
  return { kind, ...fieldBase(options, implicitDefault) } as never;
}

/** A kind whose values are plain numbers, 0 by default. */
function numeric(kind: ScalarKind) {
  return <const O extends Options<number>>(
    options?: Exact<O, Options<number>>,
  ): ScalarField<number, number, IsOmittable<O>> => scalar(kind, options, 0);
}

export const int8 = numeric('int8');
export const int16 = numeric('int16');
export const uint16 = numeric('uint16');
export const int32 = numeric('int32');
export const uint32 = numeric('uint32');
export const float64 = numeric('float64');

/** A 64-bit number within the safe integers; anything beyond is a BytesError. */
export const int64 = numeric('int64');

/**
 * A 64-bit number that a client may choose freely: a bigint where it lies beyond the safe integers, else a number.
 * So a reader of the field cannot forget the case, and both compare correctly with numbers.
 */
export function wide64<const O extends Options<number | bigint>>(
  options?: Exact<O, Options<number | bigint>>,
): ScalarField<number | bigint, number | bigint, IsOmittable<O>> {
  return scalar('wide64', options, 0);
}

export function bool<const O extends Options<boolean>>(
  options?: Exact<O, Options<boolean>>,
): ScalarField<boolean, boolean, IsOmittable<O>> {
  return scalar('bool', options, false);
}

/** 16 bytes as Kafka's 22-character text; all zero by default. */
export function uuid<const O extends Options<Uuid>>(
  options?: Exact<O, Options<Uuid>>,
): ScalarField<Uuid, Uuid, IsOmittable<O>> {
  return scalar('uuid', options, ZERO_UUID);
}

/** UTF-8 text, at most 32767 bytes; empty by default even where it may be null. */
export function string<const O extends NullableOptions<string>>(
  options?: Exact<O, NullableOptions<string>>,
): ScalarField<string | NullIf<O>, string | NullIf<O>, IsOmittable<O>> {
  return scalar('string', options, '');
}

/** Opaque bytes: a view of the input when decoded, copied when encoded. */
export function bytes<const O extends NullableOptions<never>>(
  options?: Exact<O, NullableOptions<never>>,
): ScalarField<Buffer | NullIf<O>, Uint8Array | NullIf<O>, IsOmittable<O>> {
  return scalar('bytes', options, Buffer.alloc(0));
}

/** Record batches: a view of the input when decoded, passed by reference (in one or more pieces) when encoded. */
export function records<const O extends Omit<NullableOptions<never>, 'tag'>>(
  options?: Exact<O, Omit<NullableOptions<never>, 'tag'>>,
): ScalarField<Buffer | null, Uint8Array | readonly Uint8Array[] | null, IsOmittable<O>> {
  return scalar('records', options, null);
}

type ArrayOptions = NullableOptions<readonly []>;
/** Any number of equal elements; empty by default. */
export function array<E extends Field, const O extends ArrayOptions>(
  element: E,
  options?: Exact<O, ArrayOptions>,
): ArrayField<readonly Decoded<E>[] | NullIf<O>, readonly Encodable<E>[] | NullIf<O>, IsOmittable<O>> {
  return { kind: 'array', element, ...fieldBase(options, Object.freeze([])) } as never;
}

type StructOptions = NullableOptions<never>;
/** Named fields in wire order, closed by tagged fields in flexible versions. By default every field has its default. */
export function struct<F extends Fields, const O extends StructOptions>(
  fields: F,
  options?: Exact<O, StructOptions>,
): StructField<DecodedFields<F> | NullIf<O>, EncodableFields<F> | NullIf<O>, IsOmittable<O>> {
  const tags = Object.values(fields).flatMap((field) => field.tag ?? []);
  assert(new Set(tags).size === tags.length, 'two fields of a struct have the same tag');
  return { kind: 'struct', fields, ...fieldBase(options, defaultsOf(fields)) } as never;
}

/** A struct in which every field has its default; frozen, since every message shares it. */
function defaultsOf(fields: Fields): Readonly<Record<string, unknown>> {
  return Object.freeze(Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.defaultValue])));
}

/** Whether a value is the field's default (or left out): then a version that lacks the field loses nothing. */
export function isDefault(field: Field, value: unknown): boolean {
  if (value === undefined || value === field.defaultValue) return true;
  if (value === null || field.defaultValue === null) return false;
  if (field.kind === 'array' || field.kind === 'bytes') return (value as ArrayLike<unknown>).length === 0;
  if (field.kind !== 'struct') return false;
  const struct = value as Readonly<Record<string, unknown>>;
  return Object.entries(field.fields).every(([name, inner]) => isDefault(inner, struct[name]));
}
