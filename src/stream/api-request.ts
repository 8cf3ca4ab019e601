import { type ApiError, apiError } from './api-error.js';
import type { Headers } from './headers.js';
import { readJson, type Shape, ShapeMistake } from './shape.js';
import type { Streams } from './streams.js';

/** What the API counted. */
export interface ApiStats {
  total: number;
  errors: number;
  inFlight: number;
}

/** One request to the API: `$JS.API.STREAM.INFO.<stream>` has the name `STREAM.INFO` and the arguments `[<stream>]`. */
export interface ApiRequest {
  readonly streams: Streams;
  /** Behind the operation's name. */
  readonly args: readonly string[];
  readonly payload: string;
  readonly headers: Headers | null;
  readonly reply: Uint8Array;
  /** What the answer has beside its JSON. */
  replyHeaders: Uint8Array | null;
  /** A long part of the answer that is JSON already, and the string that stands in its place. */
  insert: { place: string; json: string } | null;
  readonly strict: boolean;
  readonly stats: ApiStats;
}

/** What stands in an answer beside `type`. Throws an `ApiError`. */
export type Handler = (request: ApiRequest) => object | Promise<object>;

/** One operation of the API. */
export interface Operation {
  /** Behind `$JS.API.`, without arguments. */
  readonly name: string;
  /** How many arguments it takes, at least and at most. */
  readonly args: readonly [number, number];
  /** Of its answers: `io.nats.jetstream.api.v1.<type>_response`. */
  readonly type: string;
  /** Fields that an answer has even when it is an error. */
  readonly always?: object;
  readonly handle: Handler;
}

/** The request's JSON; throws an `ApiError` when it is not of this shape. */
export function jsonOf<T>({ payload, strict }: ApiRequest, shape: Shape<T>): T {
  try {
    return readJson(payload, shape, strict);
  } catch (error) {
    if (error instanceof ShapeMistake) throw invalidJson(error.message);
    throw error;
  }
}

function invalidJson(err: string): ApiError {
  return apiError('invalidJson', { err });
}

export function isEmpty({ payload }: ApiRequest): boolean {
  const said = payload.trim();
  return said === '' || /^\{\s*\}$/.test(said);
}

/** Some operations do not look at what is neither an object nor an array. */
export function isStructured({ payload }: ApiRequest): boolean {
  return /^\s*[{[]/.test(payload);
}

/** Some operations want nothing said. */
export function expectEmpty(request: ApiRequest): void {
  if (!isEmpty(request)) throw apiError('notEmptyRequest');
}

/** A part of a list, and where in it: what an answer has of `total`, `offset` and `limit`. */
export function page<T>(all: readonly T[], offset: number, limit: number): { place: object; part: T[] } {
  const from = Math.min(Math.max(0, offset), all.length);
  return { place: { total: all.length, offset: from, limit }, part: all.slice(from, from + limit) };
}
