const YEAR_DAYS = 365;

/** A time span as nats-server prints uptimes: whole seconds, from the largest unit on, such as `1d0h3m4s`. */
export function uptimeText(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1000);
  const days = Math.floor(seconds / 86_400);
  const parts: [number, string][] = [
    [Math.floor(days / YEAR_DAYS), 'y'],
    [days % YEAR_DAYS, 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  const shown = first < 0 ? parts.slice(-1) : parts.slice(first);
  return shown.map(([amount, unit]) => `${amount}${unit}`).join('');
}

/** A duration as Go prints it: `123ns`, `1.5ms`, `2m0.5s`. */
export function goDuration(ns: number): string {
  const whole = Math.round(ns);
  if (whole === 0) return '0s';
  if (whole < 1000) return `${whole}ns`;
  if (whole < 1e6) return `${trim(whole / 1000, 3)}µs`;
  if (whole < 1e9) return `${trim(whole / 1e6, 6)}ms`;
  const seconds = whole / 1e9;
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const rest = `${trim(seconds - hours * 3600 - minutes * 60, 9)}s`;
  if (hours > 0) return `${hours}h${minutes}m${rest}`;
  return minutes > 0 ? `${minutes}m${rest}` : rest;
}

function trim(value: number, digits: number): string {
  return value.toFixed(digits).replace(/\.?0+$/, '');
}
