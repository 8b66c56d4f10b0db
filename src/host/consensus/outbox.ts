/** Messages of one turn of the event loop leave in one post. */
import type { MessagePort } from "node:worker_threads";

export class Outbox<Message> {
  readonly #port: Pick<MessagePort, "postMessage">;
  #messages: Message[] = [];

  constructor(port: Pick<MessagePort, "postMessage">) {
    this.#port = port;
  }

  post(message: Message): void {
    this.#messages.push(message);
    if (this.#messages.length === 1) queueMicrotask(() => this.flush());
  }

  flush(): void {
    if (this.#messages.length === 0) return;
    const messages = this.#messages;
    this.#messages = [];
    this.#port.postMessage(messages);
  }
}
