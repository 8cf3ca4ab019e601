import { decodeAccountClaims } from '../auth/account-claims.js';
import { textsOf } from '../auth/json-fields.js';
import { decodeJwt } from '../auth/jwt.js';
import { describe } from '../base/failure.js';
import type { OperatorAccounts } from './operator-accounts.js';

/** What a request about accounts' JWTs leads to: payloads as they are, or the data or error of an answer. */
export type ClaimOutcome = { raw: string[] } | { data: unknown } | { error: object };

/** Requests to look up, list, update and delete the JWTs of accounts. */
export class ClaimRequests {
  private readonly accounts: OperatorAccounts;

  constructor(accounts: OperatorAccounts) {
    this.accounts = accounts;
  }

  /** Null when the subject is none of them. */
  answer(subject: string, payload: string): ClaimOutcome | Promise<ClaimOutcome> | null {
    const tokens = subject.split('.');
    const operation = tokens.at(-1);
    if (tokens[2] === 'CLAIMS') return this.ofAll(operation!, payload);
    const account = tokens[1] === 'ACCOUNT' ? tokens[2] : tokens[3];
    if (tokens.at(-2) !== 'CLAIMS') return null;
    if (operation === 'UPDATE') return this.update(account, payload);
    return operation === 'LOOKUP' ? { raw: [this.tokenOf(account)] } : null;
  }

  private ofAll(operation: string, payload: string): ClaimOutcome | null {
    const { store } = this.accounts;
    switch (operation) {
      case 'UPDATE':
        return this.update(null, payload);
      case 'LIST':
        return { data: store.list() };
      case 'PACK':
        // An empty message is the end.
        return { raw: [...store.list().map((account) => `${account}|${this.tokenOf(account)}`), ''] };
      case 'DELETE':
        return this.delete(payload);
      default:
        return null;
    }
  }

  private tokenOf(account: string): string {
    const token = this.accounts.store.fetch(account);
    return typeof token === 'string' ? token : '';
  }

  private update(account: string | null, token: string): ClaimOutcome {
    let subject = account ?? '';
    try {
      subject = decodeAccountClaims(token).subject;
      this.accounts.update(account ?? subject, token);
      return { data: { account: subject, code: 200, message: 'jwt updated' } };
    } catch (error) {
      const description = `jwt update resulted in error - ${describe(error)}`;
      return { error: { account: subject || undefined, code: 500, description } };
    }
  }

  /** An operator signs whom to forget. */
  private delete(token: string): ClaimOutcome {
    const failed = (why: string) => ({ error: { code: 500, description: `delete accounts request failed - ${why}` } });
    try {
      const { issuer, nats } = decodeJwt(token, 'generic');
      if (!this.accounts.isTrusted(issuer)) return failed('not trusted');
      const named = textsOf(nats, 'accounts');
      for (const account of named) this.accounts.forget(account);
      return { data: { code: 200, message: `deleted ${named.length} accounts` } };
    } catch (error) {
      return failed(describe(error));
    }
  }
}
