import { type Command, type CommanderError, InvalidArgumentError } from 'commander';
import { exitCodes } from './usage-failure.js';

/** Reads an option's value as a whole number. */
export function whole(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isSafeInteger(value) && value >= min) return value;
    throw new InvalidArgumentError(`Expected a whole number of at least ${min}.`);
  };
}

/** Reads an option's value as a number. */
export function real(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('Expected a number.');
}

/** For options that can be given several times. */
export function collect(text: string, texts: string[]): string[] {
  return [...texts, text];
}

/** Adds examples to a command's help. */
export function examples(command: Command, ...lines: string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`);
}

function endProcess(error: CommanderError): never {
  process.exit(error.exitCode === 0 ? 0 : exitCodes.usage);
}

/** Makes the usage errors of a command and those below it one line, `weir: … (see: weir pub --help)`, and their exit code 2. */
export function refuseInOneLine(command: Command, path = command.name()): void {
  const outputError = (text: string, write: (text: string) => void) =>
    write(
      `weir: ${text
        .trim()
        .replace(/^error: /, '')
        .replace(/\s*\n\s*/g, ' ')} (see: ${path} --help)\n`,
    );
  command.exitOverride(endProcess).configureOutput({ outputError });
  for (const inner of command.commands) refuseInOneLine(inner, `${path} ${inner.name()}`);
}
