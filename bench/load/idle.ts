import { Connection } from './connection.js';

/** Connected at the same time while opening: a listener's backlog is not endless. */
const AT_ONCE = 200;

/** Connections with one subscription each that do nothing. */
export class Idle {
  private connections: Connection[] = [];

  async open(port: number, count: number): Promise<void> {
    while (this.connections.length < count) {
      const some = Array.from(
        { length: Math.min(AT_ONCE, count - this.connections.length) },
        () => new Connection(port),
      );
      this.connections.push(...some);
      await Promise.all(some.map((connection) => connection.open('SUB idle.subject 1\r\n')));
    }
  }

  close(): void {
    for (const connection of this.connections) connection.close();
    this.connections = [];
  }
}
