import wabtModule from 'wabt';

/** Where a guest of these tests has its control block, its inbox and its outbox; each box has 64 KiB. */
export const CONTROL_AT = 16;
export const INBOX_AT = 0x10000;
export const OUTBOX_AT = 0x20000;
export const BOX_BYTES = 0x10000;

/** Parts of a guest in the text format; what is left out does the simplest right thing. */
export interface GuestParts {
  /** Body of `weir_message`. Parameters: 0 subject, 2 reply, 4 headers, 6 payload, each followed by its length; 8 time, 9 flags. */
  message?: string;
  /** Locals of `weir_message`: they begin at 10. */
  locals?: string;
  /** Body of `weir_open`; parameters are the two sizes. */
  open?: string;
  abi?: string;
  /** Body of `weir_init`; there is none when this is left out. */
  init?: string;
  memory?: string;
  /** Words 0 to 3 of the control block. */
  control?: [inbox: number, inboxBytes: number, outbox: number, outboxBytes: number] | undefined;
  /** Further definitions of the module. */
  extra?: string;
}

const MESSAGE_PARAMETERS = '(param i32 i32 i32 i32 i32 i32 i32 i32 f64 i32) (result i32)';

/** The guest as WebAssembly text. */
export function guestText(parts: GuestParts): string {
  const { message = 'i32.const 0', locals = '', open = `i32.const ${CONTROL_AT}`, abi = 'i32.const 1' } = parts;
  const { memory = '4', control = [INBOX_AT, BOX_BYTES, OUTBOX_AT, BOX_BYTES], extra = '', init } = parts;
  return `(module
    (memory (export "memory") ${memory})
    ${extra}
    (data (i32.const ${CONTROL_AT}) "${hex(words(...control))}")
    (func (export "weir_abi") (result i32) ${abi})
    (func (export "weir_open") (param i32 i32) (result i32) ${open})
    ${init === undefined ? '' : `(func (export "weir_init") (param i32) (result i32) ${init})`}
    (func (export "weir_message") ${MESSAGE_PARAMETERS} ${locals} ${message}))`;
}

export function guest(parts: GuestParts = {}): Promise<Uint8Array> {
  return assemble(guestText(parts));
}

/** A guest that leaves these bytes in its outbox and answers the verdict. */
export function writingGuest(
  verdict: number,
  outbox: Uint8Array,
  parts: GuestParts & { code?: number } = {},
): Promise<Uint8Array> {
  const code = parts.code ?? 0;
  return guest({
    ...parts,
    extra: `${parts.extra ?? ''} (data (i32.const ${OUTBOX_AT}) "${hex(outbox)}")`,
    message: `(i32.store (i32.const ${CONTROL_AT + 16}) (i32.const ${outbox.length}))
      (i32.store (i32.const ${CONTROL_AT + 20}) (i32.const ${code})) ${parts.message ?? ''} i32.const ${verdict}`,
  });
}

let loading: ReturnType<typeof wabtModule> | null = null;

function assembler(): ReturnType<typeof wabtModule> {
  loading ??= wabtModule();
  return loading;
}

/** Text to binary, without asking whether it is valid. */
export async function assemble(text: string): Promise<Uint8Array> {
  const wabt = await assembler();
  const features = { multi_value: true, simd: true, bulk_memory: true, reference_types: true, tail_call: true };
  const refused = {
    exceptions: true,
    threads: true,
    memory64: true,
    multi_memory: true,
    relaxed_simd: true,
    gc: true,
    function_references: true,
  };
  const module = wabt.parseWat('guest.wat', text, { ...features, ...refused });
  try {
    return module.toBinary({ write_debug_names: text.includes('(;names;)') }).buffer;
  } finally {
    module.destroy();
  }
}

export function repeat(text: string, times: number): string {
  return new Array(times).fill(text).join(' ');
}

export function words(...values: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => `\\${byte.toString(16).padStart(2, '0')}`).join('');
}

export const Kind = { subject: 1, headers: 2, payload: 3, emit: 4, log: 5, metric: 6, error: 7, reply: 8 } as const;

/** An outbox record, padded. `length` lies about its body's. */
export function record(kind: number, body: Uint8Array | string, length?: number): Uint8Array {
  const bytes = Buffer.from(body);
  return Buffer.concat([words(kind, length ?? bytes.length), bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}

export function records(...parts: Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

export function emit(subject: string, payload = '', { reply = '', headers = '' } = {}): Uint8Array {
  const parts = [subject, reply, headers, payload].map((part) => Buffer.from(part));
  return record(Kind.emit, Buffer.concat([words(...parts.map((part) => part.length)), ...parts]));
}

export function log(level: number, text: string): Uint8Array {
  return record(Kind.log, Buffer.concat([words(level), Buffer.from(text)]));
}

export function metric(type: number, name: string, value: number): Uint8Array {
  const number = Buffer.alloc(8);
  number.writeDoubleLE(value);
  return record(Kind.metric, Buffer.concat([words(type), number, Buffer.from(name)]));
}
