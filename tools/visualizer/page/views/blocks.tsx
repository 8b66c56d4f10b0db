/** The block timeline. */
import type { View, ViewProps } from "../view.ts";

function Blocks({ moment }: ViewProps) {
  return <p>{moment.height}</p>;
}

export const view: View = { name: "blocks", title: "Blocks", key: "3", Component: Blocks };
