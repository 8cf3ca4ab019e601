import {
  type Account,
  Algorithms,
  type EncodingOptions,
  encodeAccount,
  encodeOperator,
  encodeUser,
  fmtCreds,
  type User,
} from '@nats-io/jwt';
import { createAccount, createOperator, createUser, type KeyPair } from '@nats-io/nkeys';
import { credsAuthenticator, jwtAuthenticator } from '@nats-io/transport-node';

const options = { algorithm: Algorithms.v2 };
const UNLIMITED = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };

/** An operator with a system account, as `nsc` makes one. */
export async function newOperator(data: object = {}, signed?: KeyPair) {
  const key = createOperator();
  const signer = signed ?? key;
  const system = createAccount();
  const operatorData = {
    system_account: system.getPublicKey(),
    ...(signed && { signing_keys: [signed.getPublicKey()] }),
    ...data,
  };
  const token = await encodeOperator('operator', key, operatorData, options);
  const account = (name: string, of: KeyPair, claims: Partial<Account> = {}, more: Partial<EncodingOptions> = {}) =>
    encodeAccount(
      name,
      of,
      { ...claims, limits: { ...UNLIMITED, ...claims.limits } as never },
      { ...options, signer, ...more },
    );
  return {
    key,
    token,
    account,
    system,
    systemToken: await account('SYS', system),
    /** A configuration with these accounts. */
    config: async (accounts: Record<string, string>, rest = '') =>
      `operator: ${token}\nresolver: MEMORY\nsystem_account: ${system.getPublicKey()}\nresolver_preload: {\n${[
        [system.getPublicKey(), await account('SYS', system)],
        ...Object.entries(accounts),
      ]
        .map(([name, jwt]) => `${name}: ${jwt}`)
        .join('\n')}\n}\n${rest}`,
  };
}

/** A user's JWT, its key, and how it logs in. */
export async function newUser(
  account: KeyPair,
  claims: Partial<User> = {},
  more: { signer?: KeyPair; scopedUser?: boolean; exp?: number; nbf?: number; key?: KeyPair; name?: string } = {},
) {
  const { key = createUser(), name = 'user', ...encoding } = more;
  const jwt = await encodeUser(name, key, account, claims, { ...options, ...encoding });
  return {
    key,
    jwt,
    creds: fmtCreds(jwt, key),
    authenticator: credsAuthenticator(fmtCreds(jwt, key)),
    /** For those who show a JWT and sign nothing. */
    bearer: jwtAuthenticator(jwt),
  };
}
