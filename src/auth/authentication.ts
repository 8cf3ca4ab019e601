import type { CertificateNames } from './certificate-name.js';
import type { ConnectionType, Identity } from './identity.js';

/** What a client showed in CONNECT; an absent part is empty. */
export interface Credentials {
  user: string;
  password: string;
  token: string;
  nkey: string;
  jwt: string;
  signature: string;
}

/** What is known of a connection before it says who it is. */
export interface ConnectionFacts {
  type: ConnectionType;
  /** The peer's address. */
  host: string;
  /** What it had to sign; empty is nothing. */
  nonce: string;
  /** The certificate that says who it is; null when that is not asked of certificates. */
  certificate: CertificateNames | null;
  /** Told why the answer is no, for those who look for mistakes; `warn` is for mistakes that are not the client's. */
  note(text: string): void;
  warn(text: string): void;
  /** `client_info`, `connect_opts` and `client_tls`, as a service is told of it. */
  describe(): object;
}

export type Verdict = Identity | null | Promise<Identity | null>;

/** Says who connections are. */
export interface Authentication {
  /** Whether a client must say who it is before it may do anything. */
  readonly required: boolean;
  /** Whether the first INFO says so: also where somebody may stay unnamed only because all users are the system's. */
  readonly announced: boolean;
  /** Whether anybody is known by name: what later INFOs say. */
  readonly guarded: boolean;
  /** Whether clients are given something to sign. */
  readonly nonceRequired: boolean;
  /** The identity that the credentials prove, or null. A promise when that takes more than a look. */
  authenticate(credentials: Credentials, facts: ConnectionFacts): Verdict;
  /** The present identity of one who was let in before and needs not be asked again; undefined when it has to be. */
  knownFrom(before: Authentication, identity: Identity): Identity | undefined;
  close(): Promise<void>;
}
