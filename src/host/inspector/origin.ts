/**
 * Who asks, as far as HTTP tells: under which of the server's names, and from which page.
 *
 * A page of a stranger can make a browser connect to loopback under the stranger's own name (DNS rebinding) or ask across origins. The
 * first shows in Host, the second in Origin and Sec-Fetch-Site; neither can be set by a page.
 */
import type { IncomingMessage } from "node:http";
import { ok } from "../../base/result.ts";
import { type Judged, no } from "./refusals.ts";

export interface Names {
  /** Values of Host under which the server answers, lower case, with port; "any" where the connection says who asks (mutual TLS). */
  readonly hosts: readonly string[] | "any";
  readonly scheme: "http" | "https";
}

/** The names of a loopback port. */
export const loopbackHosts = (port: number): readonly string[] => [
  `127.0.0.1:${port}`,
  `[::1]:${port}`,
  `localhost:${port}`,
];

/** Refuses: FOREIGN_HOST, FOREIGN_ORIGIN. `isPage`: a link from elsewhere may lead to it, and it shows nothing by itself. */
export function ofOurs(request: IncomingMessage, { hosts, scheme }: Names, isPage: boolean): Judged<string> {
  const host = (request.headers.host ?? "").toLowerCase();
  if (host === "" || (hosts !== "any" && !hosts.includes(host)))
    return no("FOREIGN_HOST", `The inspector answers at ${namesOf(hosts)} alone; open the link as it was printed.`);
  const { origin } = request.headers;
  const site = request.headers["sec-fetch-site"];
  const isForeign =
    (origin !== undefined && origin !== `${scheme}://${host}`) ||
    (!isPage && site !== undefined && site !== "same-origin" && site !== "none");
  if (isForeign) return no("FOREIGN_ORIGIN", "Only the inspector's own page may ask here.");
  return ok(host);
}

const namesOf = (hosts: Names["hosts"]): string => (hosts === "any" ? "its own name" : hosts.join(", "));
