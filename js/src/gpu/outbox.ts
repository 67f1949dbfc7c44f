/**
 * Messages to a kernel process: answers of one turn of this thread leave in one frame.
 *
 * One that nobody waits for leaves with the next that does not wait, as each frame is work for
 * both sides: a pong at the latest, for which a process asks that waits for anything.
 */
import type { PageMessage } from "../protocol.ts";

/** When a message leaves: at once, at the end of this turn, or with one that does not wait. */
export type Leaving = "now" | "turn" | "later";

export class Outbox {
  readonly #send: (frame: string) => void;
  readonly #turns = new MessageChannel();
  readonly #waiting: PageMessage[] = [];
  /** Whether what waits leaves at the end of this turn. */
  #leaving = false;

  constructor(send: (frame: string) => void) {
    this.#send = send;
    this.#turns.port1.onmessage = () => {
      this.#leaving = false;
      this.#leave();
    };
  }

  /** Sends a message with those before it. */
  take(message: PageMessage, leaving: Leaving): void {
    this.#waiting.push(message);
    if (leaving === "now") this.#leave();
    else if (leaving === "turn" && !this.#leaving) {
      this.#leaving = true;
      this.#turns.port2.postMessage(undefined);
    }
  }

  /** Sends nothing more. */
  close(): void {
    this.#turns.port1.close();
  }

  #leave(): void {
    const messages = this.#waiting.splice(0);
    if (messages.length === 0) return;
    this.#send(JSON.stringify(messages.length === 1 ? messages[0] : messages));
  }
}
