/** What outlives the page: the link in the address, the theme in this browser. */
import { type Theme, readLink, writeLink } from "../model/link.ts";
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

/** Writes where the reader stands into the address, and goes where a changed address says. */
export function keepAddress(store: Store): void {
  let written = location.hash.slice(1);
  const write = (): void => {
    // The theme is the reader's own: only a link that was copied on purpose carries it.
    const fragment = writeLink({ ...store.link, theme: null });
    if (fragment === written) return;
    written = fragment;
    history.replaceState(null, "", fragment === "" ? location.pathname : `#${fragment}`);
  };
  store.subscribe(write);
  addEventListener("hashchange", () => {
    const fragment = location.hash.slice(1);
    if (fragment === written) return;
    written = fragment;
    store.open(readLink(fragment));
  });
}

/** The whole address of this moment. A page that follows is linked to where it stands now. */
export function linkTo(store: Store): string {
  const { entry } = store.moment;
  const cursor = entry === null ? store.cursor : { kind: "entry" as const, key: entry };
  return `${location.origin}${location.pathname}#${writeLink({ ...store.link, cursor })}`;
}
