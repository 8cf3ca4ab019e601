// A worker thread that checks bcrypt hashes, one after the other.
import { constants, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import bcrypt from 'bcryptjs';
import type { PasswordAnswer, PasswordQuestion } from './password-checker.js';

// Where a priority is a thread's own: whoever guesses passwords has what the event loop leaves, and does not hold it up.
if (process.platform === 'linux') setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

parentPort?.on('message', ({ id, password, hash }: PasswordQuestion) => {
  // Go and PHP write other letters for the same algorithm.
  const answer: PasswordAnswer = { id, matches: bcrypt.compareSync(password, hash.replace(/^\$2[xy]\$/, '$2b$')) };
  parentPort?.postMessage(answer);
});
