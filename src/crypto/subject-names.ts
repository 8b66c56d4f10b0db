/** Subject alternative names as text, "DNS:…", "IP:…" or "URI:…", the way certificates and their proofs name them alike. */
import { GeneralName, type SubjectAlternativeNameExtension } from "./x509-library.ts";
import type { Aid } from "../base/brands.ts";

const PREFIXES = { dns: "DNS:", ip: "IP:", url: "URI:" } as const;
type NameType = keyof typeof PREFIXES;
const isNameType = (type: string): type is NameType => Object.hasOwn(PREFIXES, type);

/** The name that every certificate of an identifier carries. */
export const didUri = (aid: Aid): string => `URI:did:keri:${aid}`;

const isAddress = (host: string): boolean => host.includes(":") || /^\d{1,3}(\.\d{1,3}){3}$/.test(host);

/** Names of a certificate: its identifier, then the hosts (names and addresses) it may be reached at, each once. */
export function subjectNames(aid: Aid, hosts: readonly string[]): readonly string[] {
  const names = hosts.map((host) => {
    // By way of DER: an address has one spelling there ("::1" reads back as the library writes it).
    const type = isAddress(host) ? "ip" : "dns";
    return PREFIXES[type] + new GeneralName(new GeneralName(type, host).rawData).value;
  });
  return [didUri(aid), ...new Set(names)];
}

/** The names as the X.509 library takes them. */
export const toGeneralNames = (names: readonly string[]): { type: NameType; value: string }[] =>
  names.map((name) => {
    const [type, prefix] = (Object.entries(PREFIXES) as [NameType, string][]).find(([, start]) =>
      name.startsWith(start),
    ) ?? ["dns", ""];
    return { type, value: name.slice(prefix.length) };
  });

/** The names that a certificate's extension holds, in its order; undefined when one is of another kind. */
export function fromExtension(extension: SubjectAlternativeNameExtension): readonly string[] | undefined {
  const names: string[] = [];
  for (const { type, value } of extension.names.items) {
    if (!isNameType(type)) return undefined;
    names.push(PREFIXES[type] + value);
  }
  return names;
}
