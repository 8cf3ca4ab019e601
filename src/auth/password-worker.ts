// A worker thread that checks bcrypt hashes, one after the other.
import { parentPort } from 'node:worker_threads';
import bcrypt from 'bcryptjs';
import type { PasswordAnswer, PasswordQuestion } from './password-checker.js';

parentPort?.on('message', ({ id, password, hash }: PasswordQuestion) => {
  // Go and PHP write other letters for the same algorithm.
  const answer: PasswordAnswer = { id, matches: bcrypt.compareSync(password, hash.replace(/^\$2[xy]\$/, '$2b$')) };
  parentPort?.postMessage(answer);
});
