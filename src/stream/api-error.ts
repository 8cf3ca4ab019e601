import { ERRORS, type ErrorName } from './error-table.js';

/** An error as the API tells it. */
export interface ApiErrorJson {
  code: number;
  err_code: number;
  description: string;
}

/** Thrown where a request cannot be served, answered to whoever asked. */
export class ApiError extends Error {
  readonly json: ApiErrorJson;

  constructor(json: ApiErrorJson) {
    super(json.description);
    this.json = json;
  }
}

/** The error's JSON; `values` take the places of `{…}` in its text. */
export function errorJson(name: ErrorName, values: Readonly<Record<string, string | number>> = {}): ApiErrorJson {
  const [errorCode, code, template] = ERRORS[name];
  const description = template.replace(/\{(\w+)\}/g, (place, key) => String(values[key] ?? place));
  return { code, err_code: errorCode, description };
}

export function apiError(name: ErrorName, values?: Readonly<Record<string, string | number>>): ApiError {
  return new ApiError(errorJson(name, values));
}

/** `invalidConfig('max age can not be negative')`: what is wrong with a stream's configuration. */
export function invalidConfig(err: string): ApiError {
  return apiError('streamInvalidConfig', { err });
}

export function pedantic(err: string): ApiError {
  return apiError('pedantic', { err });
}
