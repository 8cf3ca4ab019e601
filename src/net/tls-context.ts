import { X509Certificate } from 'node:crypto';
import type { SecureContext, TLSSocketOptions } from 'node:tls';
import { describe, Failure } from '../base/failure.js';
import type { TlsFacts } from './tls-peer.js';

/** How a listener does TLS. Certificates, keys and authorities are PEM texts. */
export interface TlsSettings {
  /** The first one is for clients that name no server, or one that no certificate is for. */
  certificates: readonly { cert: string; key: string }[];
  /** Empty is the system's authorities. */
  ca: string;
  /** Whether peers must show a certificate. */
  verify: boolean;
  minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** In OpenSSL's words; empty is the default. */
  ciphers: string;
  curves: string;
  /** SHA-256 of the public keys (SubjectPublicKeyInfo, hex, lower case) that peers may have; empty is any. */
  pinnedKeys: readonly string[];
}

interface Entry {
  context: SecureContext;
  leaf: X509Certificate;
}

/** Certificates made ready for handshakes. */
export class TlsContext {
  readonly settings: TlsSettings;
  private readonly entries: Entry[];

  /** Throws a `Failure` when the certificates and keys are none. */
  constructor(settings: TlsSettings) {
    this.settings = settings;
    this.entries = settings.certificates.map((pair, i) => entryOf(settings, pair, i));
  }

  /** What a server's side of a handshake is made with. */
  serverOptions(): TLSSocketOptions {
    const { settings, entries } = this;
    const { verify, pinnedKeys } = settings;
    return {
      isServer: true,
      secureContext: entries[0].context,
      requestCert: verify || pinnedKeys.length > 0,
      rejectUnauthorized: verify || pinnedKeys.length > 0,
      ...(entries.length > 1 && { SNICallback: (name, done) => done(null, this.contextFor(name)) }),
    };
  }

  /** What an HTTPS server is made with, and renewed with by `setSecureContext`. */
  httpsOptions() {
    const { certificates, ca, minVersion, ciphers, curves } = this.settings;
    const [{ cert, key }] = certificates;
    return {
      ...{ cert, key, minVersion },
      ...(ca !== '' && { ca }),
      ...(ciphers !== '' && { ciphers }),
      ...(curves !== '' && { ecdhCurve: curves }),
    };
  }

  /** Why a peer that has proved who it is may not come in, or null. */
  whyNotPeer(facts: TlsFacts | null): string | null {
    const { pinnedKeys } = this.settings;
    if (pinnedKeys.length === 0 || pinnedKeys.includes(facts?.peer?.keySha256 ?? '')) return null;
    return 'certificate not pinned';
  }

  /** When the first of the certificates that are sent ends, in ms since the epoch. */
  get validUntilMs(): number {
    return Math.min(...this.entries.map(({ leaf }) => Date.parse(leaf.validTo)));
  }

  contextFor(serverName: string): SecureContext {
    const fitting = this.entries.find(({ leaf }) => leaf.checkHost(serverName) !== undefined);
    return (fitting ?? this.entries[0]).context;
  }
}

function entryOf(settings: TlsSettings, { cert, key }: { cert: string; key: string }, index: number): Entry {
  const { ca, minVersion, ciphers, curves, certificates } = settings;
  try {
    // Loaded here: a server without TLS starts without it.
    const context = process.getBuiltinModule('node:tls').createSecureContext({
      cert,
      key,
      minVersion,
      ...(ca !== '' && { ca }),
      ...(ciphers !== '' && { ciphers }),
      ...(curves !== '' && { ecdhCurve: curves }),
    });
    return { context, leaf: new X509Certificate(cert) };
  } catch (error) {
    const which = certificates.length > 1 ? ` ${index + 1}/${certificates.length}` : '';
    throw new Failure('tls-invalid', `error parsing X509 certificate/key pair${which}: ${describe(error)}`, {
      cause: error,
    });
  }
}
