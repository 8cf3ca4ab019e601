import { createHash, X509Certificate } from 'node:crypto';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';

/** What a handshake agreed on. */
export interface TlsFacts {
  /** Such as `1.3`. */
  version: string;
  /** IANA's name, such as `TLS_AES_128_GCM_SHA256`. */
  cipherSuite: string;
  /** What the peer's certificate says; null when it showed none. */
  peer: PeerCertificate | null;
  /** The peer's certificate and its issuers up to one that is trusted, as PEM; empty when it showed none: others are refused. */
  verifiedChain(): string[];
}

/** A certificate as far as it says whose it is. */
export interface PeerCertificate {
  emails: string[];
  dnsNames: string[];
  uris: string[];
  /** The subject's parts in the certificate's order, each `CN=name`. */
  subject: string[];
  /** SHA-256 of the certificate and of its public key, hex. */
  sha256: string;
  keySha256: string;
  pem: string;
}

export function tlsFacts(socket: TLSSocket): TlsFacts {
  const certificate = socket.getPeerX509Certificate();
  return {
    version: (socket.getProtocol() ?? '').replace(/^TLSv/, ''),
    cipherSuite: socket.getCipher().standardName,
    peer: certificate === undefined ? null : peerOf(certificate),
    verifiedChain: () => (certificate === undefined ? [] : chainOf(socket)),
  };
}

function chainOf(socket: TLSSocket): string[] {
  const chain: string[] = [];
  let certificate: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (certificate?.raw !== undefined) {
    chain.push(new X509Certificate(certificate.raw).toString());
    // The last one is its own issuer, or its issuer is not there.
    const issuer: DetailedPeerCertificate | undefined = certificate.issuerCertificate;
    certificate = issuer?.fingerprint256 === certificate.fingerprint256 ? undefined : issuer;
  }
  return chain;
}

function peerOf(certificate: X509Certificate): PeerCertificate {
  const names = alternativeNames(certificate.subjectAltName ?? '');
  const of = (kind: string) => names.filter(([name]) => name === kind).map(([, value]) => value);
  const key = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return {
    emails: of('email'),
    dnsNames: of('DNS'),
    uris: of('URI'),
    subject: certificate.subject?.split('\n') ?? [],
    sha256: createHash('sha256').update(certificate.raw).digest('hex'),
    keySha256: createHash('sha256').update(key).digest('hex'),
    pem: certificate.toString(),
  };
}

/** `DNS:a, email:"b, c"` as pairs; a value with a comma comes as a JSON text. */
function alternativeNames(text: string): [string, string][] {
  const pairs: [string, string][] = [];
  for (const [, kind, value] of text.matchAll(/(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)/g))
    pairs.push([kind, value.startsWith('"') ? (JSON.parse(value) as string) : value]);
  return pairs;
}
