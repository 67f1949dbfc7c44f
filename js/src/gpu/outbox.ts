/**
 * Messages to a kernel process: answers of one turn of this thread leave in one frame.
 *
 * A patient one, which nobody waits for, leaves with the next that is not: each frame is work for
 * both sides. Pongs are answers to a process that waits for anything, twice a second.
 */
import type { PageMessage } from "../protocol.ts";

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

  /** Sends a message, an answer with the others of this turn, and keeps the order. */
  take(message: PageMessage, patient = false): void {
    this.#waiting.push(message);
    if (message.kind !== "reply") this.#leave();
    else if (!patient && !this.#leaving) {
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
