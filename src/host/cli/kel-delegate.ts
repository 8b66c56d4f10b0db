/**
 * `sky kel delegate`: anchors what a delegated identifier has made, and hands its log to the cluster. Whoever dies in between leaves it to the
 * next call: which events are anchored is read from the delegator's own ones, and which the log lacks is asked of the log.
 */
import { concatBytes } from "../../base/bytes.ts";
import { present } from "../../base/errors.ts";
import { ok } from "../../base/result.ts";
import { SkyError } from "../../client/errors.ts";
import type { IdentityStore } from "../../client/identity.ts";
import type { KerlClient } from "../../client/kerl-client.ts";
import {
  type Anchor,
  type Controller,
  type OwnEvent,
  anchoredAt,
  anchorsOf,
  keyStateOf,
  ownEvents,
  prepareInteraction,
} from "../../keri/controller.ts";
import { type CliIo, EXIT, type ExitCode, reportFailure, reportRefusal } from "./io.ts";
import { type AppendReport, appendPieces, exitOfReport, piecesOf, printMessages } from "./kel-append.ts";
import { asking } from "./kel-cluster.ts";
import { type KelDesk, type KelOptions, isOnline, make, online, openKelDesk, tell, withDesk } from "./kel-identity.ts";

export interface DelegateOptions extends KelOptions {
  /** Folder of the delegated identifier. */
  readonly args: readonly [string];
}

/** 64 seals to an event: some 10 KiB of the 64 that an event may have. */
const SEALS_MAX = 64;

interface Anchored {
  readonly sn: number;
  readonly said: string;
  readonly by: Anchor;
}

/** As the delegator. Done again it does what is left, and says so. */
export async function delegate(options: DelegateOptions, io: CliIo): Promise<ExitCode> {
  const json = options.json === true;
  const opened = await openKelDesk({ dir: options.args[0] }, io);
  if (!opened.ok) return reportRefusal(io, opened.refusal, json);
  const child = opened.value.store;
  const { delegator, aid } = keyStateOf(child.read());
  return withDesk(options, io, async (desk) => {
    const own = desk.store.read();
    if (delegator !== own.aid)
      throw new SkyError("NOT_DELEGATED", `${aid} is delegated by ${delegator ?? "nobody"}, not by ${own.aid}.`, {
        retryable: false,
      });
    const anchored = await anchorAll(desk, options, child);
    const report = isOnline(options) ? await appendLacking(desk, options, child.read()) : undefined;
    const kept = desk.store.read();
    const { messages = [], failed = null } = report ?? {};
    const delegated = { aid, anchored, messages, appended: report !== undefined && failed === null };
    const code = report === undefined ? EXIT.ok : exitOfReport(report);
    if (json) {
      const failure = failed === null ? {} : { code: failed.code, message: failed.message };
      tell(kept, options, io, { ok: code === EXIT.ok, ...failure, delegated });
      return code;
    }
    tell(kept, options, io);
    for (const { sn, by } of anchored) io.out(`  event ${sn} of ${aid} is anchored by event ${by.sn}`);
    if (anchored.length === 0) io.out(`  every event of ${aid} was anchored`);
    printMessages(messages, io);
    if (failed !== null) reportFailure(io, failed.code, failed.message, false);
    else if (report !== undefined && messages.length === 0) io.out(`  the log has all of ${aid}`);
    if (report === undefined && own.cluster !== null)
      io.out(`  the log of ${aid} is not handed over: sky kel delegate with --cluster or --node does`);
    return code;
  });
}

/** Events that need an anchor and have none among the delegator's own. */
function openEvents(child: Controller, anchors: ReadonlyMap<string, Anchor>): readonly OwnEvent[] {
  return ownEvents(child).filter(
    ({ event }) => (event.type === "dip" || event.type === "drt") && !anchors.has(event.said),
  );
}

/** Anchors what is not, and keeps beside each of the child's events where it is. Returns what was anchored now. Throws: SkyError, Fault. */
async function anchorAll(desk: KelDesk, options: KelOptions, child: IdentityStore): Promise<readonly Anchored[]> {
  const { aid } = child.read();
  const timing = options.timeout === undefined ? {} : { timeoutMs: options.timeout };
  // What an earlier life began may be the anchor: it is in force before anything is handed over that rests on it.
  if (isOnline(options) && desk.store.read().pending !== null)
    await online(desk, (client) => client.change(null, timing));
  const before = anchorsOf(desk.store.read(), aid);
  const lacking = openEvents(child.read(), before);
  while (openEvents(child.read(), anchorsOf(desk.store.read(), aid)).length > 0)
    await make(desk, options, (now) => {
      const open = openEvents(child.read(), anchorsOf(now, aid)).slice(0, SEALS_MAX);
      if (open.length === 0) return ok(now);
      return prepareInteraction(
        now,
        open.map(({ event }) => ({ i: aid, s: event.sn.toString(16), d: event.said })),
      );
    });
  const anchors = anchorsOf(desk.store.read(), aid);
  child.update((now) => anchoredAt(now, anchors));
  return lacking.map(({ event: { sn, said } }) => ({ sn, said, by: present(anchors.get(said), "it is anchored now") }));
}

/** Hands over the child's events from the first on that the log does not have in force. */
const appendLacking = (desk: KelDesk, { timeout }: KelOptions, child: Controller): Promise<AppendReport> =>
  asking(desk.where(), async (client) => {
    const known = await newestKnown(client, child.aid, timeout);
    const events = ownEvents(child).filter(
      ({ event }) => known === undefined || event.sn > known.sn || (event.sn === known.sn && event.said !== known.said),
    );
    if (events.length === 0) return { messages: [], failed: null };
    const pieces = piecesOf(concatBytes(...events.map(({ message }) => message.source)));
    if (!pieces.ok) throw new SkyError(pieces.refusal.code, pieces.refusal.message, { retryable: false });
    return appendPieces(client, pieces.value, timeout);
  });

/** Whoever may not read, or reads of an identifier that is unknown, hands over everything: what the log has it knows again. */
const ALL: ReadonlySet<string> = new Set(["NOT_FOUND", "PERMISSION_DENIED"]);

async function newestKnown(
  client: KerlClient,
  aid: string,
  timeout: number | undefined,
): Promise<{ readonly sn: number; readonly said: string } | undefined> {
  try {
    const { keyState } = await client.keyState(aid, undefined, timeout === undefined ? {} : { timeoutMs: timeout });
    const { sn, said } = present(keyState?.latest, "an answer has a key state");
    return { sn: Number(sn), said };
  } catch (error) {
    if (error instanceof SkyError && ALL.has(error.code)) return undefined;
    throw error;
  }
}
