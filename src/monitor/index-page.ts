/** What the pages are for, in the order in which `/` lists them. */
const PAGES: [path: string, title: string][] = [
  ['/varz', 'General'],
  ['/connz', 'Connections'],
  ['/accountz', 'Accounts'],
  ['/accstatz', 'Account Stats'],
  ['/subsz', 'Subscriptions'],
  ['/pluginz', 'Plugins'],
  ['/routez', 'Routes'],
  ['/leafz', 'LeafNodes'],
  ['/gatewayz', 'Gateways'],
  ['/jsz', 'JetStream'],
  ['/healthz', 'Health Probe'],
  ['/metrics', 'Prometheus'],
];

/** `/`: links to all pages. `basePath` is in front of each and was checked by the configuration. */
export function indexPage(basePath: string, version: string): string {
  const links = PAGES.map(([path, title]) => `<li><a href="${basePath}${path}">${title}</a> <code>${path}</code></li>`);
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Weir</title></head>
<body>
<h1>Weir ${version}</h1>
<ul>
${links.join('\n')}
</ul>
</body>
</html>
`;
}
