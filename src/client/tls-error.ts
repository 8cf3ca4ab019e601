/** What OpenSSL calls the mistakes that are common, and what people know them by from nats-server. */
const TEXTS: Record<string, string> = {
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: "tls: client didn't provide a certificate",
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'tls: client offered only unsupported versions',
  ERR_SSL_NO_SHARED_CIPHER: 'tls: no cipher suite supported by both client and server',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'remote error: tls: unknown certificate authority',
  ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR: 'remote error: tls: internal error',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: 'remote error: tls: bad certificate',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: 'remote error: tls: unknown certificate',
  CERT_HAS_EXPIRED: 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid',
  CERT_NOT_YET_VALID: 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid',
  ECONNRESET: 'EOF',
};

const UNKNOWN_AUTHORITY = [
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
];

/** Why a handshake failed, for the log. */
export function tlsErrorText(message: string, code = ''): string {
  if (UNKNOWN_AUTHORITY.includes(code))
    return 'tls: failed to verify certificate: x509: certificate signed by unknown authority';
  // OpenSSL's own text begins with numbers, and names its source file.
  const [, reason] = /^[0-9A-F]+:error:[0-9A-F]+:[^:]*:[^:]*:([^:]*):/.exec(message) ?? [];
  return TEXTS[code] ?? (reason === undefined ? message : `tls: ${reason}`);
}
