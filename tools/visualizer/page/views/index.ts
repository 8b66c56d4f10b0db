/** Every view of the page, in the order of its tabs and keys. */
import type { View } from "../view.ts";
import { view as blocks } from "./blocks.tsx";
import { view as ceremony } from "./ceremony.tsx";
import { view as difference } from "./difference.tsx";
import { view as graph } from "./graph.tsx";
import { view as ring } from "./ring.tsx";
import { view as sequence } from "./sequence.tsx";
import { view as states } from "./states.tsx";

export const VIEWS: readonly View[] = [states, sequence, blocks, ring, graph, ceremony, difference];
