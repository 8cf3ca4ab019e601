import type { Claims } from '../auth/jwt.js';
import type { ResolverOptions, ResolverTls } from './options.js';

/** What the file says about operators, before it is known whether it goes together. */
export interface OperatorDraft {
  operators: Claims[];
  trustedKeys: string[];
  resolver: ResolverOptions | null;
  resolverTls: ResolverTls | null;
  preload: [account: string, token: string][];
  pinnedAccounts: string[] | null;
  defaultSentinel: string;
}

export const emptyOperator = (): OperatorDraft => ({
  operators: [],
  trustedKeys: [],
  resolver: null,
  resolverTls: null,
  preload: [],
  pinnedAccounts: null,
  defaultSentinel: '',
});
