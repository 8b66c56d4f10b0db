/** What `sky dev` and its nodes' processes say to each other. */

export interface DevNodeOrder {
  /** Settings of the node, as flags would give them. */
  readonly settings: Readonly<Record<string, string>>;
  /** Base64; only before the node's root is dealt. It travels over the channel and is written nowhere. */
  readonly passphrase: string | null;
}

/** After the order: asks for a fresh one-time link to the node's inspector. */
export interface DevLinkRequest {
  readonly kind: "inspectLink";
}

export type DevNodeReport =
  | { readonly kind: "started" }
  | { readonly kind: "serving" }
  /** It does not serve, and may not for long. */
  | { readonly kind: "waits"; readonly reason: string }
  /** Answers of link requests come in their order. */
  | { readonly kind: "inspectLink"; readonly origin: string; readonly token: string }
  | { readonly kind: "failed"; readonly reason: string };
