/** What outlives the page: the link in the address, the theme in this browser. */
import { type Theme, readLink, tokenIn, writeLink } from "../model/link.ts";
import type { Store } from "../model/store.ts";

const THEME = "sky-inspector-theme";

function remembered(): Theme {
  try {
    const theme = localStorage.getItem(THEME);
    return theme === "light" || theme === "dark" ? theme : "system";
  } catch {
    return "system"; // storage may be forbidden; the theme then lives as long as the page
  }
}

function remember(theme: Theme): void {
  try {
    if (theme === "system") localStorage.removeItem(THEME);
    else localStorage.setItem(THEME, theme);
  } catch {
    // as above
  }
}

/** Shows the theme that the reader chose last, and every later choice. */
export function keepTheme(store: Store): void {
  let shown: Theme | null = null;
  const show = (): void => {
    if (store.theme === shown) return;
    shown = store.theme;
    if (shown === "system") document.documentElement.removeAttribute("data-theme");
    else document.documentElement.dataset["theme"] = shown;
    remember(shown);
  };
  store.setTheme(remembered());
  show();
  store.subscribe(show);
}

/** A page that writes its address more often is stopped by its browser: after 200 times in 10 s, or 100 in 30 s. Units: ms. */
const WRITES_APART_MS = 400;

/**
 * Writes where the reader stands into the address, and goes where a changed address says. An address that brings a fresh token is
 * begun anew: it is what somebody does whose session is over.
 */
export function keepAddress(store: Store): void {
  let written = location.hash;
  let last = -Infinity;
  let waiting: ReturnType<typeof setTimeout> | null = null;
  const write = (): void => {
    if (waiting !== null) clearTimeout(waiting);
    waiting = null;
    // The theme is the reader's own: only a link that was copied on purpose carries it.
    const fragment = writeLink({ ...store.link, theme: null });
    // Another address: somebody has just opened it, and that is told in a moment.
    if (`#${fragment}` === written || (fragment === "" && written === "") || location.hash !== written) return;
    history.replaceState(null, "", fragment === "" ? location.pathname : `#${fragment}`);
    written = location.hash;
    last = performance.now();
  };
  store.subscribe(() => {
    if (waiting !== null) return;
    const wait = last + WRITES_APART_MS - performance.now();
    if (wait <= 0) write();
    else waiting = setTimeout(write, wait);
  });
  addEventListener("pagehide", write);
  addEventListener("hashchange", () => {
    if (tokenIn(location.hash) !== null) return location.reload();
    if (location.hash === written) return;
    written = location.hash;
    store.open(readLink(written));
  });
}

/** The whole address of this moment. A page that follows is linked to where it stands now. */
export function linkTo(store: Store): string {
  const { entry } = store.moment;
  const cursor = entry === null ? store.cursor : { kind: "entry" as const, key: entry };
  return `${location.origin}${location.pathname}#${writeLink({ ...store.link, cursor })}`;
}
