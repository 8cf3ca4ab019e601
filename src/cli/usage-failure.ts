import { Failure } from '../base/failure.js';

/** What was typed cannot be meant: the command ends with 2 instead of 1. */
export class UsageFailure extends Failure {}

export const exitCodes = { failure: 1, usage: 2 } as const;
