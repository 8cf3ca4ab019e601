/** Errors of the `$WEIR.API`: a failure's code, the HTTP-like code, the number that programs compare. */
export const ERRORS = {
  'request-invalid': { code: 400, number: 20001 },
  'name-invalid': { code: 400, number: 20002 },
  'digest-mismatch': { code: 400, number: 20003 },
  'module-refused': { code: 400, number: 20010 },
  'plugin-not-found': { code: 404, number: 20020 },
  'plugin-in-use': { code: 409, number: 20021 },
  'plugins-full': { code: 503, number: 20022 },
  'upload-not-found': { code: 404, number: 20023 },
  'upload-piece': { code: 400, number: 20024 },
  'uploads-full': { code: 503, number: 20025 },
  'attachment-not-found': { code: 404, number: 20030 },
  'attachment-exists': { code: 409, number: 20031 },
  'attachment-invalid': { code: 400, number: 20032 },
  'attachment-refused': { code: 400, number: 20033 },
  'attachments-full': { code: 503, number: 20034 },
  'attachment-declared': { code: 409, number: 20035 },
  'attachment-first': { code: 409, number: 20036 },
  'attachment-changed': { code: 409, number: 20037 },
  'state-refused': { code: 409, number: 20038 },
  'config-invalid': { code: 400, number: 20039 },
  'attachment-circle': { code: 409, number: 20040 },
  'trial-exists': { code: 409, number: 20041 },
  'trial-not-found': { code: 404, number: 20042 },
  'stream-not-found': { code: 404, number: 20050 },
  'backtest-busy': { code: 409, number: 20051 },
  'plugin-store': { code: 500, number: 20090 },
  internal: { code: 500, number: 20099 },
} as const;

/** What a publisher hears of a message that a plugin rejected, whose code is the plugin's own. */
export const MESSAGE_REJECTED = 20060;

export interface ApiError {
  code: number;
  err_code: number;
  description: string;
}

/** The API's form of a failure. Codes `module-…` of the sandbox are one error here: its text says which. */
export function apiError(failureCode: string, description: string): ApiError {
  const key = failureCode.startsWith('module-') ? 'module-refused' : failureCode;
  const entry = (ERRORS as Record<string, { code: number; number: number }>)[key] ?? ERRORS.internal;
  return { code: entry.code, err_code: entry.number, description };
}
