import { textOf } from '../base/bytes.js';
import type { Message } from './message.js';

/** Headers by their canonical names, each with all its values. */
export type SamplingHeaders = Readonly<Record<string, readonly string[]>>;

const UBER = 'Uber-Trace-Id';
const UBER_BAGGAGE = 'Uberctx-';
const B3 = 'B3';
const B3_SAMPLED = 'X-B3-Sampled';
const B3_TRACE = 'X-B3-Traceid';
const B3_ALL = [B3_SAMPLED, B3_TRACE, 'X-B3-Parentspanid', 'X-B3-Spanid'];
const TRACE_CONTEXT = 'Traceparent';
const TRACE_STATE = 'Tracestate';

/**
 * The headers by which a message asks to be sampled, in the ways of Jaeger, Zipkin (B3) and W3C; null when it does not. Of those that it
 * has the first counts, in this order.
 */
export function samplingHeaders(message: Message): SamplingHeaders | null {
  if (message.payloadStart === message.headersStart) return null;
  const all = canonicalHeaders(message);
  const first = (name: string) => all[name]?.[0];
  if (first(UBER) !== undefined) {
    return isUberSampled(first(UBER)!) ? only(all, (name) => name === UBER || name.startsWith(UBER_BAGGAGE)) : null;
  }
  const sampled = first(B3_SAMPLED);
  if (sampled === '0') return null;
  // A trace of which nobody has decided is for whoever gets it to decide.
  if (sampled === '1' || first(B3_TRACE) !== undefined) return only(all, (name) => B3_ALL.includes(name));
  const single = first(B3)?.split('-');
  if (single !== undefined) {
    const denied = single.length > 2 ? single[2] === '0' : single.length === 1 && single[0] === '0';
    return denied ? null : only(all, (name) => name === B3);
  }
  const parent = first(TRACE_CONTEXT);
  if (parent === undefined || !isTraceParentSampled(parent)) return null;
  return only(all, (name) => name === TRACE_CONTEXT || name === TRACE_STATE);
}

/** `version-trace-parent-flags`: the lowest bit of the flags says so. */
export function isTraceParentSampled(value: string): boolean {
  const parts = value.split('-');
  return parts.length === 4 && /^[0-9a-f]{2}$/i.test(parts[3]) && (Number.parseInt(parts[3], 16) & 1) === 1;
}

/** `trace:span:parent:flags`, the flags one or two hexadecimal digits. */
function isUberSampled(value: string): boolean {
  const parts = value.split(':');
  return parts.length === 4 && /^[0-9a-f]{1,2}$/i.test(parts[3]) && (Number.parseInt(parts[3], 16) & 1) === 1;
}

function only(all: SamplingHeaders, wanted: (name: string) => boolean): SamplingHeaders {
  const names = Object.keys(all).filter(wanted).sort();
  return Object.fromEntries(names.map((name) => [name, all[name]]));
}

function canonicalHeaders({ bytes, headersStart, payloadStart }: Message): SamplingHeaders {
  const all: Record<string, string[]> = Object.create(null);
  for (const line of textOf(bytes, headersStart, payloadStart).split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const name = line.slice(0, colon).toLowerCase();
    const canonical = name.replace(/(^|-)[a-z]/g, (letters) => letters.toUpperCase());
    (all[canonical] ??= []).push(line.slice(colon + 1).trim());
  }
  return all;
}
