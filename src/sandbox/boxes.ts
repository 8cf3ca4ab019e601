import { CONTROL_BYTES, ControlWord } from './abi.js';

/** Where a guest keeps its boxes, as its control block said: addresses in its memory, and bytes. */
export interface Boxes {
  readonly control: number;
  readonly inbox: number;
  readonly inboxCapacity: number;
  readonly outbox: number;
  readonly outboxCapacity: number;
}

export const NO_BOXES: Boxes = { control: 0, inbox: 0, inboxCapacity: 0, outbox: 0, outboxCapacity: 0 };

/** Why there can be no control block at the address, or null. */
export function whyNoControl(address: number, memoryBytes: number): string | null {
  if (address % 4 === 0 && address <= memoryBytes - CONTROL_BYTES) return null;
  return `the address ${address}, which is not aligned or outside the memory of ${memoryBytes} bytes`;
}

/** What the control block says. */
export function readBoxes(memory: ArrayBuffer, address: number): Boxes {
  const words = new Uint32Array(memory, address, CONTROL_BYTES / 4);
  return {
    control: address,
    inbox: words[ControlWord.inbox],
    inboxCapacity: words[ControlWord.inboxCapacity],
    outbox: words[ControlWord.outbox],
    outboxCapacity: words[ControlWord.outboxCapacity],
  };
}

/** Why the boxes are not those that were asked for, or null. */
export function whyBadBoxes(boxes: Boxes, inboxBytes: number, outboxBytes: number, memoryBytes: number): string | null {
  const { inbox, inboxCapacity, outbox, outboxCapacity } = boxes;
  if (inboxCapacity < inboxBytes || outboxCapacity < outboxBytes) {
    return `the control block says capacities ${inboxCapacity} and ${outboxCapacity}, less than asked for`;
  }
  if (inbox + inboxCapacity > memoryBytes)
    return `the inbox (${inbox}, ${inboxCapacity} bytes) lies outside the memory`;
  if (outbox + outboxCapacity > memoryBytes)
    return `the outbox (${outbox}, ${outboxCapacity} bytes) lies outside the memory`;
  return outbox % 4 === 0 ? null : `the outbox address ${outbox} is not a multiple of 4`;
}

/** The boxes where they lie when they were moved. */
export function movedBoxes(boxes: Boxes, control: number): Boxes {
  const by = control - boxes.control;
  return { ...boxes, control, inbox: boxes.inbox + by, outbox: boxes.outbox + by };
}
