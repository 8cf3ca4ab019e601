/** What the plugins' micro-benchmarks are about. */
export const SUBJECT = 'site.4.line-2.temperature';
/** A sensor's message of 128 bytes. */
export const READING = Buffer.from(
  JSON.stringify({
    id: 's-42',
    site: 'n1',
    time: '2026-01-05T10:15:30Z',
    temperature: 23.5,
    humidity: 41.2,
    ok: true,
    battery: 3.71,
    count: 1024,
  }),
);
/** The bundled plugins as they are attached. */
export const CONFIGS: Record<string, object> = {
  threshold: { field: 'temperature', above: 20 },
  pick: { remove: ['battery', 'count'] },
  convert: { field: 'temperature', from: 'C', to: 'F', decimals: 1 },
  enrich: { token: 1, table: { 4: { building: 'B', floor: 2 } } },
};
