import { Failure } from '../base/failure.js';
import type { Attachment } from './attachment.js';

/** Gives the state of one instance to another; false when there is none to give. Throws a `Failure` when the other refuses it. */
export function handOver(from: Attachment, to: Attachment): boolean {
  if (!from.keepsState || !to.keepsState) return false;
  const state = from.save() ?? from.savedState;
  if (state === null || to.restore(state)) return state !== null;
  throw refused(from, to);
}

/** As `handOver`, where one of them is in a worker thread. */
export async function handOverBeside(from: Attachment, to: Attachment): Promise<boolean> {
  if (!from.keepsState || !to.keepsState) return false;
  const saved = from.seat === null ? from.save() : await from.seat.save();
  const state = saved ?? from.savedState;
  if (state === null) return false;
  if (to.seat === null ? to.restore(state) : await to.seat.restore(state)) return true;
  throw refused(from, to);
}

function refused(from: Attachment, to: Attachment): Failure {
  return new Failure(
    'state-refused',
    `version ${to.version.number} of plugin ${JSON.stringify(to.declaration.plugin)} refused the state of version ${from.version.number}: ${to.fault.text}`,
  );
}
