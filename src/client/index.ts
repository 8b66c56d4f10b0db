/** What applications import as `@sky/sky/client`. */
export * from "./sky-client.ts";
export { changedIdentity } from "./identity.ts";
export {
  type Appended,
  KerlClient,
  type KerlClientOptions,
  type KerlReadOptions,
  type KeyStateAt,
} from "./kerl-client.ts";
export {
  AuditClient,
  type AuditClientOptions,
  type AuditOptions,
  type CheckedProof,
  type ProveOptions,
  type ProvenThing,
  membersOf,
} from "./audit-client.ts";
export { type ProvenKeyState, keyStateOfProof } from "./key-state-proof.ts";
