/** What `sky dev` and its nodes' processes say to each other. */

export interface DevNodeOrder {
  /** Settings of the node, as flags would give them. */
  readonly settings: Readonly<Record<string, string>>;
  /** Base64; only before the node's root is dealt. It travels over the channel and is written nowhere. */
  readonly passphrase: string | null;
}

export type DevNodeReport =
  | { readonly kind: "started" }
  | { readonly kind: "serving" }
  /** It does not serve, and may not for long. */
  | { readonly kind: "waits"; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string };
