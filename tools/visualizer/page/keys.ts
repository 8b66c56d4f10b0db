/** The keys that the page knows wherever the focus is, except where one types. */
import type { Store } from "./model/store.ts";
import type { View } from "./view.ts";

export interface KeyActions {
  readonly search: () => void;
  readonly help: () => void;
  readonly copyLink: () => void;
  readonly theme: () => void;
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.closest("input, textarea, select, dialog") !== null || target.isContentEditable);

/** To the nearest mark before or after the cursor. */
function goToMark(store: Store, direction: 1 | -1): void {
  const here = store.position;
  const places = store.marks
    .all()
    .map(({ entry }) => store.history.positionOf(entry).position)
    .filter((position) => (direction > 0 ? position > here : position >= 0 && position < here));
  if (places.length === 0) return;
  store.goToPosition(direction > 0 ? Math.min(...places) : Math.max(...places));
}

const MOVES: Readonly<Record<string, (store: Store) => void>> = {
  ArrowLeft: (store) => store.goToPosition(store.position - 1),
  ArrowRight: (store) => store.goToPosition(store.position + 1),
  "Shift ArrowLeft": (store) => store.stepHeight(-1),
  "Shift ArrowRight": (store) => store.stepHeight(1),
  "[": (store) => goToMark(store, -1),
  "]": (store) => goToMark(store, 1),
  Home: (store) => store.goToPosition(0),
  End: (store) => store.follow(),
};

/** Handles a key; a view that took it first has prevented its default. */
export function onKey(event: KeyboardEvent, store: Store, views: readonly View[], actions: KeyActions): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  const name = event.shiftKey && event.key.startsWith("Arrow") ? `Shift ${event.key}` : event.key;
  const act = actionOf(name, event, store, views, actions);
  if (act === undefined) return;
  event.preventDefault();
  act();
}

function actionOf(
  name: string,
  event: KeyboardEvent,
  store: Store,
  views: readonly View[],
  actions: KeyActions,
): (() => void) | undefined {
  const move = MOVES[name];
  if (move !== undefined) return () => move(store);
  const view = views.find(({ key }) => key === name);
  if (view !== undefined) return () => store.show(view.name);
  switch (name) {
    case " ":
      // On a button, space presses it.
      if (event.target instanceof HTMLElement && event.target.closest("button, a, summary") !== null) return undefined;
      return () => (store.isFollowing ? store.pause() : store.follow());
    case "/":
      return actions.search;
    case "?":
      return actions.help;
    case "l":
      return actions.copyLink;
    case "t":
      return actions.theme;
    default:
      return undefined;
  }
}
