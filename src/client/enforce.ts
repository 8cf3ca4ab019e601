import { type AccountClaims, isRevoked } from '../auth/account-claims.js';
import { ErrorText } from '../wire/nats/errors.js';
import { ClosedReason } from './closed-reason.js';
import type { ClientDoor } from './door.js';
import { askAgain } from './reload.js';
import type { ClientSession } from './session.js';

/** Looks at everybody who is in an account after its JWT changed: who may not stay goes, the others are as it says now. */
export async function enforceAccount(door: ClientDoor, claims: AccountClaims): Promise<void> {
  const members = [...door.sessions.values()].filter(({ account }) => account.name === claims.subject);
  for (const session of members) {
    const said = session.identity?.claims;
    if (said && isRevoked(claims.revocations, session.identity!.userName, said.issuedAt)) {
      door.logger.debug(`${session.label} - ${ErrorText.authenticationRevoked}`);
      session.close(ClosedReason.credentialsRevoked, ErrorText.authenticationRevoked);
    } else await askAgain(door, session);
  }
  closeSurplus(members, claims.connectionsMax);
}

/** Looks at who is in each account after limits changed: the newest ones go where there are too many. */
export function closeSurplusOfAccounts(door: ClientDoor): void {
  const members = [...door.sessions.values()].filter(({ identity }) => identity !== null);
  for (const account of new Set(members.map((member) => member.account))) {
    const own = members.filter((member) => member.account === account);
    closeSurplus(own, account.limits.connectionsMax);
  }
}

/** The newest ones go when there are too many. */
function closeSurplus(members: readonly ClientSession[], connectionsMax: number): void {
  if (connectionsMax < 0) return;
  const present = members.filter(({ closedReason }) => closedReason === null);
  for (const session of present.slice(connectionsMax))
    session.close(ClosedReason.maximumAccountConnections, ErrorText.maximumAccountConnections);
}

/** The account's time is over, and with it that of everybody who is in it. */
export function expireAccount(door: ClientDoor, account: string): void {
  for (const session of [...door.sessions.values()]) {
    if (session.account.name !== account) continue;
    door.logger.debug(`${session.label} - ${ErrorText.accountExpired}`);
    session.close(ClosedReason.authenticationExpired, ErrorText.accountExpired);
  }
}
