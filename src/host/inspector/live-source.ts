/** What a running node shows of itself: its own memory of what happened, its log, and the state as its projector holds it. */
import type { Aid } from "../../base/brands.ts";
import { type Result, ok } from "../../base/result.ts";
import type { KeyState } from "../../keri/key-state.ts";
import type { Founding } from "../founding/document.ts";
import type { DifferencePage, DivergencePage, GraphPicture, MemberRow, SourceDescription } from "./contract.ts";
import type { LiveEntries } from "./live-entries.ts";
import { no } from "./refusals.ts";
import type { Answer, InspectorSource } from "./source.ts";
import type { StateQuestion } from "./state-questions.ts";

export interface LiveParts {
  readonly founding: Founding;
  readonly self: Aid;
  readonly entries: LiveEntries;
  readonly keyStateOf: (aid: Aid) => KeyState | undefined;
  /** Undefined while the node is sealed. */
  readonly askState: (question: StateQuestion) => Promise<Result<unknown>> | undefined;
}

const SEALED = no("NOT_READY", "The node is sealed, or starts; operators unseal it: sky unseal.");
const ONE_NODE = "One node is shown here; two are compared by `sky dev`, or by `sky inspect` of their directories.";

export class LiveSource implements InspectorSource {
  readonly #parts: LiveParts;
  readonly #self: { readonly name: string; readonly index: number };

  constructor(parts: LiveParts) {
    this.#parts = parts;
    const index = parts.founding.document.founders.findIndex(({ aid }) => aid === parts.self);
    this.#self = { index, name: parts.founding.document.founders[index]?.name ?? parts.self };
  }

  readonly describe = async (): Promise<SourceDescription> => {
    const { cluster, document } = this.#parts.founding;
    return {
      kind: "node",
      title: `${this.#self.name} of ${document.name}`,
      dev: document.dev,
      live: true,
      cluster,
      nodes: document.founders.map(({ name, aid }, index) => ({ name, aid, index, role: "honest" })),
      absent: { divergence: ONE_NODE },
    };
  };

  entries: InspectorSource["entries"] = (after, signal) => this.#parts.entries.read(after, signal);

  context: InspectorSource["context"] = async ({ node, life, n, machine }) => {
    const here = this.#here(node);
    if (!here.ok) return here;
    const context = await this.#parts.entries.context(life, n, machine);
    return context.ok && context.value === undefined
      ? no("NOT_HELD", "The node no longer holds what it knew at this moment; look at a later one.")
      : context;
  };

  blocks: InspectorSource["blocks"] = async ({ node, from, limit }) => {
    const here = this.#here(node);
    if (!here.ok) return here;
    const rows = await this.#parts.entries.worker?.ask({ kind: "blocks", from, limit });
    return rows ?? SEALED;
  };

  graph: InspectorSource["graph"] = ({ node, height, focus, limit }) =>
    this.#ask<GraphPicture>(node, { kind: "graph", height, focus, limit });

  check: InspectorSource["check"] = ({ node, height, subject, object }) =>
    this.#ask<unknown>(node, { kind: "check", height, subject, object });

  members: InspectorSource["members"] = async ({ node }) => {
    const here = this.#here(node);
    if (!here.ok) return here;
    const { founding, entries, keyStateOf } = this.#parts;
    const asked = await entries.worker?.ask({ kind: "peers" });
    if (asked?.ok === false) return asked;
    const peers = asked?.value;
    return ok(
      founding.document.founders.map(({ name, aid, endpoints }, index): MemberRow => {
        const isConnected = peers?.connected.includes(index) ?? false;
        const isSelf = index === this.#self.index;
        return {
          name,
          aid,
          index,
          endpoint: endpoints.cluster,
          standing: isSelf ? "self" : isConnected ? "connected" : "suspected",
          keySn: Number(keyStateOf(aid)?.sn ?? 0),
          lastHeard: peers?.lastHeard[index] ?? null,
        };
      }),
    );
  };

  difference: InspectorSource["difference"] = async ({ left, leftHeight, right, rightHeight }) => {
    const other = this.#here(right);
    if (!other.ok) return other;
    return this.#ask<DifferencePage>(left, {
      kind: "difference",
      node: this.#self.name,
      height: leftHeight,
      otherHeight: rightHeight,
    });
  };

  divergence = async (): Promise<Answer<DivergencePage>> => no("NOT_SHOWN", ONE_NODE);

  close = async (): Promise<void> => this.#parts.entries.close();

  /** What the projector answers is what the question asks for (state-questions.ts). */
  async #ask<T>(node: string | null, question: StateQuestion): Promise<Answer<T>> {
    const here = this.#here(node);
    if (!here.ok) return here;
    const answer = await this.#parts.askState(question);
    if (answer === undefined) return SEALED;
    if (answer.ok) return ok(answer.value as T);
    const { code, message } = answer.refusal;
    if (code === "NOT_FOUND" || code === "INVALID_QUESTION" || code === "TOO_MANY") return no(code, message);
    return no(code === "OVERLOADED" ? "TOO_MANY" : "NOT_READY", message);
  }

  #here(node: string | null): Answer<void> {
    return node === null || node === this.#self.name
      ? ok(undefined)
      : no("NOT_FOUND", `This is ${this.#self.name}; ask ${node} at its own port.`);
  }
}
