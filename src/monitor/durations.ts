/** A time span as nats-server prints uptimes: `1d2h3m4s`. */
export function uptimeText(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  const shown = first < 0 ? parts.slice(-1) : parts.slice(first);
  return shown.map(([amount, unit]) => `${amount}${unit}`).join('');
}

/** A short duration as Go prints it: `123µs`, `1.5ms`. */
export function goDuration(ns: number): string {
  if (ns < 1000) return `${Math.round(ns)}ns`;
  if (ns < 1e6) return `${trim(ns / 1000)}µs`;
  if (ns < 1e9) return `${trim(ns / 1e6)}ms`;
  return `${trim(ns / 1e9)}s`;
}

function trim(value: number): string {
  return value.toFixed(3).replace(/\.?0+$/, '');
}
