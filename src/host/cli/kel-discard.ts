/**
 * `sky kel discard`: drops a pending event that the log will never have. Only the log knows that, so it is asked: whether the event, or
 * another one, has the place; and where the place is free, by handing the event over once more.
 */
import { SkyError } from "../../client/errors.ts";
import { isRefusedForGood } from "../../client/keys.ts";
import type { PendingEvent } from "../../keri/controller.ts";
import { type CliIo, EXIT, type ExitCode, reportFailure } from "./io.ts";
import { clusterState } from "./kel-cluster.ts";
import { type KelDesk, type KelOptions, online, withDesk } from "./kel-identity.ts";

/** Refuses: NOTHING_PENDING, KEL_IN_FORCE; whatever leaves open what becomes of the event (NOT_IN_FORCE: it waits; UNAVAILABLE). */
export const discard = (given: KelOptions, io: CliIo): Promise<ExitCode> => {
  const options = { ...given, submit: true };
  return withDesk(options, io, async (desk) => {
    const { pending } = desk.store.read();
    if (pending === null) return refused(io, options, "NOTHING_PENDING", "No event of this identity is pending.");
    const why = await whyNever(desk, options, pending);
    if (why === undefined)
      return refused(
        io,
        options,
        "KEL_IN_FORCE",
        `Event ${pending.sn} is in force and is kept; nothing was discarded.`,
      );
    // With the keys that would follow it: should the answer have been a lie, this copy is what holds the identifier.
    const copy = desk.keepCopy(`discarded-${pending.sn}-${pending.said.slice(0, 12)}`);
    desk.store.update((kept) => (kept.pending?.said === pending.said ? { ...kept, pending: null } : kept));
    if (options.json === true)
      io.out(JSON.stringify({ ok: true, sn: pending.sn, said: pending.said, copy, code: why.code, why: why.message }));
    else io.out(`event ${pending.sn} is discarded: ${why.message} (${why.code}); ${copy} has it, and its keys`);
    return EXIT.ok;
  });
};

interface Why {
  readonly code: string;
  readonly message: string;
}

/** Undefined: the log has it. Throws: SkyError where that is open. */
async function whyNever(desk: KelDesk, options: KelOptions, pending: PendingEvent): Promise<Why | undefined> {
  const { sn, said } = pending;
  const timing = options.timeout === undefined ? {} : { timeoutMs: options.timeout };
  const { state } = await clusterState(desk.where(), { ...options });
  if (state.sn >= sn) {
    const placed = (await clusterState(desk.where(), { ...options, sn })).state;
    // A rotation may still take the place of an interaction: that is for the log to say, below.
    if (placed.said !== said && (pending.next === null || placed.type !== "ixn"))
      return { code: "KERI_DUPLICITOUS", message: `The log has another event ${sn}, ${placed.said}.` };
  }
  try {
    await online(desk, (client) => client.change(null, timing));
    return undefined;
  } catch (error) {
    if (!isRefusedForGood(error)) throw error;
    return { code: error.code, message: error.cause instanceof SkyError ? error.cause.message : error.message };
  }
}

const refused = (io: CliIo, { json }: KelOptions, code: string, message: string): ExitCode => {
  reportFailure(io, code, message, json === true);
  return EXIT.refused;
};
