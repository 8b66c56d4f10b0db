/** Statecharts of every machine of every node. */
import type { View, ViewProps } from "../view.ts";

function States({ moment }: ViewProps) {
  return <p>{moment.position}</p>;
}

export const view: View = { name: "states", title: "Statecharts", key: "1", Component: States };
