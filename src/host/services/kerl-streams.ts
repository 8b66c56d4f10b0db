/** ExportKerl and Watch: a key event receipt log as it is, and as it goes on. */
import type { ServerWritableStream, handleServerStreamingCall } from "@grpc/grpc-js";
import type { Aid, Height } from "../../base/brands.ts";
import { height as heightOf } from "../../base/brands.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { type KerlChange, PAGE_ROWS_MAX } from "../../projections/kerl/history.ts";
import type * as Kerl from "../../wire/generated/sky/kerl/v1/kerl.ts";
import * as graph from "../../wire/sky-graph.ts";
import { errorOf } from "../../wire/status.ts";
import { undecodable } from "./call.ts";
import { defectOf, freshHeight, readerOf } from "./kerl-call.ts";
import { changeMessage, exportedMessage, notFound, snOf } from "./kerl-messages.ts";
import type { KerlContext } from "./kerl-port.ts";
import type { KerlQueries } from "./kerl-queries.ts";
import { CANCELLED, written } from "./parts.ts";

/** Watch calls at once. */
const WATCHERS_MAX = 1_024;
/** How many delegators' logs come before a delegated identifier's. */
const DELEGATORS_MAX = 8;

export function streaming<Request, Reply>(
  context: KerlContext,
  stream: (call: ServerWritableStream<Request, Reply>) => Promise<Result<void>>,
): handleServerStreamingCall<Request, Reply> {
  return (call) => {
    const { queries } = context.kerl;
    const answer = (): Promise<Result<void>> => {
      const broken = undecodable(call.request);
      return broken === undefined ? stream(call) : Promise.resolve(broken);
    };
    answer().then(
      (result) => {
        if (result.ok) call.end();
        else if (!call.cancelled) call.emit("error", errorOf(result.refusal, queries.height()));
      },
      (error: unknown) => call.emit("error", defectOf(context, error)),
    );
  };
}

export function exporting(
  context: KerlContext,
): handleServerStreamingCall<Kerl.ExportKerlRequest, Kerl.ExportKerlResponse> {
  return streaming(context, async (call) => {
    const { request } = call;
    const aid = readerOf(context, call, request.aid);
    if (!aid.ok) return aid;
    const height = await freshHeight(context, call, request.consistency);
    if (!height.ok) return height;
    if (context.kerl.queries.keyState(aid.value) === undefined)
      return notFound(`identifier ${aid.value}`, height.value);
    if (request.withDelegators) {
      for (const delegator of delegatorsOf({ keyState: (who) => context.kerl.queries.keyState(who) }, aid.value)) {
        const ended = await exportOne(context, call, delegator, height.value, 0);
        if (!ended.ok) return ended;
      }
    }
    return exportOne(context, call, aid.value, height.value, snOf(request.sinceSn));
  });
}

/** The first is nobody's delegate. Bounds: DELEGATORS_MAX. */
export function delegatorsOf({ keyState }: Pick<KerlQueries, "keyState">, aid: Aid): readonly Aid[] {
  const found: Aid[] = [];
  let delegator = keyState(aid)?.delegator ?? null;
  while (delegator !== null && found.length < DELEGATORS_MAX && !found.includes(delegator)) {
    found.unshift(delegator);
    delegator = keyState(delegator)?.delegator ?? null;
  }
  return found;
}

async function exportOne(
  context: KerlContext,
  call: ServerWritableStream<unknown, Kerl.ExportKerlResponse>,
  aid: Aid,
  height: Height,
  sinceSn: number,
): Promise<Result<void>> {
  let after: number | null = 0;
  while (after !== null) {
    const page = await context.kerl.queries.log(aid, height, after);
    if (!page.ok) return page;
    const events = page.value.events.filter(({ sn }) => sn >= sinceSn).map((event) => exportedMessage(aid, event));
    const ended =
      events.length === 0 ? undefined : await written(call, { events, height: BigInt(height) }, context.slowMs);
    if (ended !== undefined) return ended;
    after = page.value.next;
  }
  return ok(undefined);
}

export function watching(context: KerlContext): handleServerStreamingCall<Kerl.WatchRequest, Kerl.WatchResponse> {
  const { queries } = context.kerl;
  let watchers = 0;
  return streaming(context, async (call) => {
    const aid = readerOf(context, call, call.request.aid);
    if (!aid.ok) return aid;
    const from = graph.heightOf(call.request.fromHeight);
    if (from > queries.height() + 1)
      return refuse("HEIGHT_UNKNOWN", `This node is at height ${queries.height()}; watch from there on at most.`);
    if (watchers >= WATCHERS_MAX)
      return refuse("OVERLOADED", "This node has too many watchers; ask another one.", "none");
    watchers += 1;
    try {
      return await watchOne(context, call, aid.value, from);
    } finally {
      watchers -= 1;
    }
  });
}

async function watchOne(
  context: KerlContext,
  call: ServerWritableStream<unknown, Kerl.WatchResponse>,
  aid: Aid,
  from: Height,
): Promise<Result<void>> {
  const { queries } = context.kerl;
  const news = new News(call);
  const stop = queries.watch(aid, () => news.tell());
  try {
    let next: number = from;
    let told = false;
    for (;;) {
      const head = queries.height();
      let skip = 0;
      while (next <= head) {
        const page = await queries.changes(aid, next === 0 ? -1 : heightOf(next - 1), head, skip);
        if (!page.ok) return page;
        const changes: readonly KerlChange[] = page.value;
        const isLast = changes.length < PAGE_ROWS_MAX;
        // A page may end within a block: its height is asked for again, without what was told.
        const resume: number = isLast ? head + 1 : (changes.at(-1)?.at.height ?? head);
        if (changes.length > 0 || !told) {
          const ended = await written(
            call,
            { changes: changes.map(changeMessage), next: BigInt(resume) },
            context.slowMs,
          );
          if (ended !== undefined) return ended;
          told = true;
        }
        skip = isLast ? 0 : changes.filter(({ at }) => at.height === resume).length + (resume === next ? skip : 0);
        next = resume;
      }
      if (!(await news.wait())) return CANCELLED;
    }
  } finally {
    stop();
    news.end();
  }
}

/** Tells a watcher once, however often something happened meanwhile. */
class News {
  #isNew = false;
  #isOver = false;
  #wake: (() => void) | undefined;

  constructor(call: Pick<ServerWritableStream<unknown, unknown>, "on">) {
    const gone = (): void => this.end();
    call.on("cancelled", gone).on("close", gone);
  }

  tell(): void {
    this.#isNew = true;
    this.#wake?.();
  }

  end(): void {
    this.#isOver = true;
    this.#wake?.();
  }

  /** False when the caller is gone. */
  async wait(): Promise<boolean> {
    if (!this.#isNew && !this.#isOver)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    this.#wake = undefined;
    this.#isNew = false;
    return !this.#isOver;
  }
}
