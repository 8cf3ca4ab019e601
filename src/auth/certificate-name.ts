/** What a certificate says about whose it is. `subject` has its parts in the certificate's order, each `CN=name`. */
export interface CertificateNames {
  emails: readonly string[];
  dnsNames: readonly string[];
  uris: readonly string[];
  subject: readonly string[];
}

/**
 * Which of the users a certificate is of: the first that is one of its email addresses, host names or URIs, or else is its subject,
 * `CN=ann,OU=tests,O=Weir`, whatever the order of its parts. Null when it is nobody's.
 */
export function userOfCertificate(names: CertificateNames, users: ReadonlyMap<string, unknown>): string | null {
  for (const name of [...names.emails, ...names.dnsNames, ...names.uris]) if (users.has(name)) return name;
  const parts = names.subject.map(normalPart);
  const wanted = parts.toReversed().join(',');
  let reordered: string | null = null;
  for (const name of users.keys()) {
    const given = distinguishedName(name);
    if (given === null) continue;
    if (given.join(',') === wanted) return name;
    if (given.length === parts.length && given.toSorted().join(',') === parts.toSorted().join(',')) reordered ??= name;
  }
  return reordered;
}

/** The parts of `CN=ann, O=Weir\\, Inc`, or null when the text is no such name. */
function distinguishedName(text: string): string[] | null {
  if (!text.includes('=')) return null;
  const parts = text.match(/(?:\\.|[^,\\])+/g) ?? [];
  return parts.every((part) => /^\s*[\w.]+\s*=/.test(part)) ? parts.map(normalPart) : null;
}

function normalPart(part: string): string {
  const at = part.indexOf('=');
  const value = part.slice(at + 1).trim();
  return `${part.slice(0, at).trim().toUpperCase()}=${value.replace(/\\(.)/g, '$1')}`;
}
