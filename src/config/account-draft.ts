import type { UserSettings } from '../auth/authenticator.js';
import type { PermissionRules } from '../auth/permissions.js';
import type { ExportSettings, ImportSettings } from '../broker/account-settings.js';
import type { AccountOptions } from './options.js';
import type { Place } from './place.js';

/** An import or export with its place, for what can only be judged when all accounts are known. */
export type Placed<T> = T & { place: Place };

/** An account as its block says it, before the others are known. */
export interface AccountDraft extends Omit<AccountOptions, 'exports' | 'imports'> {
  exports: Placed<ExportSettings>[];
  imports: Placed<ImportSettings>[];
  users: UserSettings[];
  defaults: PermissionRules | null;
  place: Place;
}
