import type { AttachmentDeclaration } from './declarations.js';

/** A plugin version as it is stored; its module lies beside, by its digest. */
export interface VersionRecord {
  number: number;
  sha256: string;
  bytes: number;
  installed_ms: number;
}

export interface PluginRecord {
  name: string;
  /** Whether the configuration file brought it: then it is forgotten at a start that does not declare it, unless it is used. */
  declared: boolean;
  /** The number of the newest version there ever was: numbers are not given twice. */
  last_number: number;
  versions: VersionRecord[];
}

/** A definition, and the number of the version that it meant when it was made. */
export interface ResolvedDeclaration {
  declaration: AttachmentDeclaration;
  version: number;
}

/** An attachment that a request made, and the definitions it had before, newest first. */
export interface AttachmentRecord extends ResolvedDeclaration {
  previous: ResolvedDeclaration[];
}

/** Everything that is stored. */
export interface LedgerContents {
  plugins: readonly PluginRecord[];
  attachments: readonly AttachmentRecord[];
  /** Attachments that are gone: what their plugins saved is to be removed, if it is still there. */
  gone: readonly string[];
}

export const LEDGER_FORMAT = 1;
