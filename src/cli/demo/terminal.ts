import { styleText } from 'node:util';
import { printLine } from '../print.js';

export type Style = Parameters<typeof styleText>[0];

/** The part of the terminal that the demo needs; plain lines when stdout is none. */
export class Terminal {
  readonly isLive: boolean;
  private readonly stream: NodeJS.WriteStream;
  private readonly colors: boolean;
  private status = '';

  constructor(stream: NodeJS.WriteStream) {
    this.stream = stream;
    this.isLive = stream.isTTY === true;
    // hasColors knows NO_COLOR, FORCE_COLOR and TERM.
    this.colors = this.isLive && stream.hasColors();
  }

  paint(style: Style, text: string): string {
    return this.colors ? styleText(style, text) : text;
  }

  /** A line above the status line. */
  line(text = ''): void {
    this.clear();
    printLine(text);
    this.draw();
  }

  /** The last line, kept in place; on what is no terminal there is none. */
  showStatus(text: string): void {
    if (!this.isLive) return;
    this.clear();
    this.status = text.slice(0, this.stream.columns - 1);
    this.draw();
  }

  /** Leaves the status line as it is, and goes below it. */
  endStatus(): void {
    if (this.status !== '') printLine();
    this.status = '';
  }

  private clear(): void {
    if (this.status !== '') this.stream.write('\r\x1b[2K');
  }

  private draw(): void {
    if (this.status !== '') this.stream.write(this.status);
  }
}
