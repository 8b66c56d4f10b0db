/** Every view of the page, in the order of its tabs and keys. */
import type { View } from "../view.ts";
import { view as blocks } from "./blocks.tsx";
import { view as states } from "./states.tsx";

export const VIEWS: readonly View[] = [states, blocks];
