import type { Authentication } from '../auth/authentication.js';
import { Authenticator } from '../auth/authenticator.js';
import { CalloutAuthenticator } from '../auth/callout-authenticator.js';
import { OperatorAuthenticator } from '../auth/operator-authenticator.js';
import { calloutHouse } from './callout-house.js';
import type { ServerParts } from './server-parts.js';

/** Says who clients are: by JWTs where there is an operator, otherwise by the users of the configuration and whom it says to ask. */
export function authenticationOf(
  parts: Pick<ServerParts, 'options' | 'operator' | 'clock' | 'accounts' | 'identity' | 'key'>,
): Authentication {
  const { options, operator: accounts, clock } = parts;
  const { authorization, operator } = options;
  if (operator === null || accounts === null) {
    const inner = new Authenticator(authorization);
    const { callout } = authorization;
    return callout === undefined ? inner : new CalloutAuthenticator(inner, callout, calloutHouse(parts));
  }
  const { pinnedAccounts, defaultSentinel } = operator;
  return new OperatorAuthenticator(accounts, calloutHouse(parts), {
    pinnedAccounts: pinnedAccounts === null ? null : new Set(pinnedAccounts),
    defaultSentinel,
    nowMs: () => clock.nowMs(),
  });
}
