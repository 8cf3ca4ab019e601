import { Failure } from '../base/failure.js';

/** Where a value stands in its file. Lines and columns count from 1. */
export interface Place {
  file: string;
  line: number;
  column: number;
}

export function placeText({ file, line, column }: Place): string {
  return `${file}:${line}:${column}`;
}

/** An error with its place in front, as nats-server prints it. */
export function configError(place: Place, text: string): Failure {
  return new Failure('config-invalid', `${placeText(place)}: ${text}`);
}
