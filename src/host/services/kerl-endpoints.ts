/** Endpoints in force, by the newest replies of who authorises them and of where they are. Source: ToIP KERI specification, "OOBI", BADA. */
import type { Aid, Height } from "../../base/brands.ts";
import { concatBytes } from "../../base/bytes.ts";
import { present } from "../../base/errors.ts";
import { type Result, ok } from "../../base/result.ts";
import type { ReplyMessage } from "../../keri/messages.ts";
import { storedBody } from "../../keri/stored-body.ts";
import type { StoredReply } from "../../projections/kerl/history.ts";
import type { KerlQueries } from "./kerl-queries.ts";

export interface BoundLocation {
  readonly scheme: string;
  readonly url: string;
}

export interface BoundEndpoint {
  readonly role: string;
  readonly endpoint: Aid;
  readonly locations: readonly BoundLocation[];
  /** The replies that say so, with what proves them. */
  readonly stream: Uint8Array;
}

/** Endpoints of one answer; an identifier that binds more is not looked at further. */
const ENDPOINTS_MAX = 256;

function replyOf({ reply }: StoredReply): ReplyMessage {
  const body = storedBody(reply);
  return present(body.type === "rpy" ? body : undefined, "what was kept as a reply is one");
}

const attribute = (reply: ReplyMessage, name: string): string =>
  present(reply.attributes[name], "the parser saw to it");

const bytesOf = ({ reply, attached }: StoredReply): Uint8Array => concatBytes(reply, attached);

/** Where an endpoint is, http before others; and the replies. */
export async function locationsOf(
  queries: KerlQueries,
  endpoint: Aid,
  height: Height,
): Promise<Result<{ readonly locations: readonly BoundLocation[]; readonly stream: Uint8Array }>> {
  const replies = await queries.locations(endpoint, height);
  if (!replies.ok) return replies;
  const bound = replies.value
    .map((stored) => ({ stored, reply: replyOf(stored) }))
    .filter(({ reply }) => attribute(reply, "url") !== "")
    .map(({ stored, reply }) => ({ stored, scheme: attribute(reply, "scheme"), url: attribute(reply, "url") }))
    .sort((a, b) => Number(b.scheme === "http") - Number(a.scheme === "http"));
  return ok({
    locations: bound.map(({ scheme, url }) => ({ scheme, url })),
    stream: concatBytes(...bound.map(({ stored }) => bytesOf(stored))),
  });
}

/** Empty `role`: all. Refuses: as KerlQueries. */
export async function endpointsOf(
  queries: KerlQueries,
  controller: Aid,
  height: Height,
  role: string,
): Promise<Result<readonly BoundEndpoint[]>> {
  const replies = await queries.roles(controller, height);
  if (!replies.ok) return replies;
  const endpoints: BoundEndpoint[] = [];
  for (const stored of replies.value) {
    const reply = replyOf(stored);
    const named = attribute(reply, "role");
    if (reply.route !== "/end/role/add" || (role !== "" && named !== role)) continue;
    const endpoint = attribute(reply, "eid") as Aid;
    const where = await locationsOf(queries, endpoint, height);
    if (!where.ok) return where;
    const { locations, stream } = where.value;
    endpoints.push({ role: named, endpoint, locations, stream: concatBytes(bytesOf(stored), stream) });
    if (endpoints.length === ENDPOINTS_MAX) break;
  }
  return ok(endpoints);
}
