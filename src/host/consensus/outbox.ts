/** Messages of one turn of the event loop leave in one post. */
import type { MessagePort } from "node:worker_threads";

export class Outbox<Message> {
  readonly #port: Pick<MessagePort, "postMessage">;
  #messages: Message[] = [];
  #isDue = false;

  constructor(port: Pick<MessagePort, "postMessage">) {
    this.#port = port;
  }

  post(message: Message): void {
    this.#messages.push(message);
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => this.flush());
  }

  /** Leaves before whatever is posted next, or with the next flush: in order, and not by itself. */
  keep(message: Message): void {
    this.#messages.push(message);
  }

  flush(): void {
    this.#isDue = false;
    if (this.#messages.length === 0) return;
    const messages = this.#messages;
    this.#messages = [];
    this.#port.postMessage(messages);
  }
}
