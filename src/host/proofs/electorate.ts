/** Who certifies, by a founding document: epoch 0, the only one that there is. */
import { epoch } from "../../base/brands.ts";
import { verify } from "../../crypto/ed25519.ts";
import type { Electorate } from "../../events/facts/finality.ts";
import type { Founding } from "../founding/document.ts";

export const electorateOf = ({ cluster, document }: Pick<Founding, "cluster" | "document">): Electorate => ({
  cluster,
  epoch: epoch(0),
  keys: document.founders.map(({ epochKey }) => epochKey),
  verify,
});
