import { Failure } from '../base/failure.js';
import type { Budget } from '../sandbox/budget.js';
import type { PreparedModule } from '../sandbox/prepare.js';
import { isFilter } from '../subject/subject.js';
import { FUEL_ON_LOOP_MAX } from './budgets.js';
import { type AttachmentDeclaration, PHASES, type Phase } from './declarations.js';
import type { GrantKind } from './manifest-contents.js';

/** What a definition may say. Throws a `Failure` that says what it may not. */
export function checkDeclaration(declaration: AttachmentDeclaration, phase: Phase): void {
  const { name, subject, failure, force, grants } = declaration;
  const refuse = (text: string) => new Failure('attachment-invalid', `attachment ${JSON.stringify(name)}: ${text}`);
  if (!isFilter(subject)) throw refuse(`${JSON.stringify(subject)} is not a valid subject filter`);
  if (/^\$(WEIR|SYS)\./.test(subject))
    throw refuse(`${JSON.stringify(subject)}: no plugin runs on "$WEIR." and "$SYS."`);
  for (const filter of grants?.emit ?? []) {
    if (!isFilter(filter)) throw refuse(`grants.emit: ${JSON.stringify(filter)} is not a valid subject filter`);
  }
  if (!PHASES.includes(phase))
    throw refuse(`the phase is ${JSON.stringify(phase)}, expected one of ${PHASES.join(', ')}`);
  checkStage(declaration);
  checkTable(declaration, refuse);
  checkTier(declaration, refuse);
  const passes = Object.values(failure ?? {}).some((action) => action === 'pass' || action === 'bypass-chain');
  if (passes && !force && (phase === 'authorize' || phase === 'validate')) {
    throw refuse(
      `a plugin of the phase ${phase} would let through what it is there to stop; add "force": true to insist`,
    );
  }
}

function checkStage({ name, stage = 'publish', receivers, failure }: AttachmentDeclaration): void {
  const refuse = (text: string) => new Failure('attachment-invalid', `attachment ${JSON.stringify(name)}: ${text}`);
  if (stage === 'publish' && receivers !== undefined) {
    throw refuse('"receivers" is for the stage "deliver"; add "stage": "deliver"');
  }
  if (stage === 'deliver' && Object.values(failure ?? {}).includes('reject')) {
    throw refuse('at the stage "deliver" there is no publisher to reject a message to; expected another action');
  }
  const { subscription, stream, consumer } = receivers ?? {};
  if (consumer !== undefined && stream === undefined) throw refuse('"receivers.consumer" needs the "stream" it is of');
  if (subscription === undefined || isFilter(subscription)) return;
  throw refuse(`${JSON.stringify(subscription)} is not a valid subject filter`);
}

/** A plugin that says what it cannot do without would only fail, message by message. */
export function checkGrants(
  { name, plugin, grants = {}, force }: AttachmentDeclaration,
  needed: readonly GrantKind[],
): void {
  const missing = needed.filter((kind) => (kind === 'emit' ? (grants.emit ?? []).length === 0 : !grants[kind]));
  if (missing.length === 0 || force) return;
  throw new Failure(
    'attachment-invalid',
    `attachment ${JSON.stringify(name)}: plugin ${JSON.stringify(plugin)} needs the grants ${missing.join(', ')}; add them, or "force": true to do without`,
  );
}

function checkTier({ tier, metering, stage, table }: AttachmentDeclaration, refuse: (text: string) => Failure): void {
  if (tier !== 'worker') {
    if (metering !== 'off') return;
    throw refuse('a module without metering would stop the event loop when it does not end; add "tier": "worker"');
  }
  if (stage === 'deliver') {
    throw refuse(
      'the tier "worker" is for the stage "publish": a receiver\'s message is not kept until a worker has answered',
    );
  }
  if (table?.bucket === undefined) return;
  throw refuse('in the tier "worker" a table has "entries" only; a bucket is followed by plugins on the event loop');
}

/** Whether a call is over soon enough for the event loop: in the tier "worker" more is allowed than that. */
export function fitsLoop(
  { tier, metering }: AttachmentDeclaration,
  { fuelPerMessage }: Budget,
  prepared: PreparedModule | null,
): boolean {
  if (tier !== 'worker') return true;
  return metering !== 'off' && prepared?.isLarge !== true && fuelPerMessage <= FUEL_ON_LOOP_MAX;
}

function checkTable({ name, table, grants }: AttachmentDeclaration, refuse: (text: string) => Failure): void {
  if (table === undefined) return;
  if (!grants?.table) throw refuse('its "table" needs the grant table; add "grants": {"table": true}');
  if (table.file !== undefined)
    throw refuse(`"table.file" of ${JSON.stringify(name)} was not read: it is for the configuration file`);
  if (table.keys !== undefined && table.bucket === undefined) throw refuse('"table.keys" is for a "table.bucket"');
}
