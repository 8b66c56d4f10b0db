/** Whether a founding document is one that this node may start with, and what it says of the node. */
import type { Aid } from "../../base/brands.ts";
import { Fault } from "../../base/errors.ts";
import type { FounderCard } from "../../events/facts/founding.ts";
import type { Founding } from "../founding/document.ts";

export interface OwnFiles {
  /** Of the document. */
  readonly path: string;
  readonly dataDir: string;
  /** Whether the node runs for `sky dev`. */
  readonly dev: boolean;
}

/** The node's card. Throws: Fault DEV_CLUSTER, NOT_A_DEV_CLUSTER, NOT_A_FOUNDER. */
export function ownCard({ document }: Founding, aid: Aid, { path, dataDir, dev }: OwnFiles): FounderCard {
  if (document.dev && !dev)
    throw new Fault(
      "DEV_CLUSTER",
      `${path} founds a development cluster; run it with \`sky dev\`. It cannot become a real one.`,
    );
  if (!document.dev && dev)
    throw new Fault("NOT_A_DEV_CLUSTER", `${path} founds a real cluster; run its nodes with \`sky node\`.`);
  const card = document.founders.find((founder) => founder.aid === aid);
  if (card !== undefined) return card;
  throw new Fault(
    "NOT_A_FOUNDER",
    `${path} does not name ${aid}, the node in ${dataDir}; give it the document of its own cluster.`,
  );
}
