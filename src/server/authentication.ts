import type { Authentication } from '../auth/authentication.js';
import { Authenticator } from '../auth/authenticator.js';
import { OperatorAuthenticator } from '../auth/operator-authenticator.js';
import type { Options } from '../config/options.js';
import type { OperatorAccounts } from './operator-accounts.js';

/** Says who clients are: by JWTs where there is an operator, otherwise by the users of the configuration. */
export function authenticationOf(
  { authorization, operator }: Options,
  accounts: OperatorAccounts | null,
  nowMs: () => number,
): Authentication {
  if (operator === null || accounts === null) return new Authenticator(authorization);
  const { pinnedAccounts, defaultSentinel } = operator;
  return new OperatorAuthenticator(accounts, {
    pinnedAccounts: pinnedAccounts === null ? null : new Set(pinnedAccounts),
    defaultSentinel,
    nowMs,
  });
}
