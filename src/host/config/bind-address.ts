import { networkInterfaces } from "node:os";

interface Entry {
  readonly address: string;
  readonly family: string;
  /** Not 0 for IPv6 addresses of one link only, which others cannot use as they are. */
  readonly scopeid?: number | undefined;
}

/**
 * The address to listen on for a name of this machine's network interfaces: its first IPv4 address, else its first IPv6 address
 * that is good beyond the link. Any other text is an address or a host's name, and stays as it is.
 */
export function bindAddress(
  text: string,
  interfaces: Readonly<Record<string, readonly Entry[] | undefined>> = networkInterfaces(),
): string {
  const entries = Object.hasOwn(interfaces, text) ? (interfaces[text] ?? []) : [];
  const usable = entries.filter(({ family, scopeid }) => family === "IPv4" || !scopeid);
  return (usable.find(({ family }) => family === "IPv4") ?? usable[0])?.address ?? text;
}
