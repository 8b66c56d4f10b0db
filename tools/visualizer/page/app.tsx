/** The page's frame: title, what happened, nodes, the view, and the slider that all of it follows. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { onKey } from "./keys.ts";
import type { Moment } from "./model/moment.ts";
import type { Store } from "./model/store.ts";
import { Help } from "./parts/help.tsx";
import { Nodes } from "./parts/nodes.tsx";
import { Search } from "./parts/search.tsx";
import { Slider } from "./parts/slider.tsx";
import { Story } from "./parts/story.tsx";
import { TitleBar, nextTheme } from "./parts/title-bar.tsx";
import { useStore } from "./parts/use-store.ts";
import type { View } from "./view.ts";
import { VIEWS } from "./views/index.ts";

/** The one that was chosen; else the first that this source has anything for. */
const shownView = (store: Store): View | undefined =>
  VIEWS.find(({ name }) => name === store.view) ??
  VIEWS.find(({ name }) => store.source?.absent[name] === undefined) ??
  VIEWS[0];

function Tabs({ store, shown }: { readonly store: Store; readonly shown: View | undefined }) {
  const row = useRef<HTMLElement>(null);
  useLayoutEffect(() => {
    // On a phone they do not all fit: the one that is shown must be seen.
    const tab = row.current?.querySelector<HTMLElement>('[aria-current="page"]') ?? null;
    if (row.current === null || tab === null) return;
    row.current.scrollLeft = tab.offsetLeft - (row.current.clientWidth - tab.offsetWidth) / 2;
  }, [shown]);
  return (
    <nav ref={row} class="tabs scroll-x" aria-label="Views">
      {VIEWS.map((view) => (
        <button
          key={view.name}
          type="button"
          class="tab"
          aria-current={view === shown ? "page" : undefined}
          title={`${view.title} (${view.key})`}
          onClick={() => store.show(view.name)}
        >
          {view.title}
          <kbd aria-hidden="true" class="wide-only">
            {view.key}
          </kbd>
        </button>
      ))}
    </nav>
  );
}

function Shown(props: { readonly store: Store; readonly moment: Moment; readonly view: View }) {
  const { store, moment, view } = props;
  const absent = store.source?.absent[view.name];
  return (
    <>
      <h2 class="sr-only">{view.title}</h2>
      {absent === undefined ? <view.Component store={store} moment={moment} /> : <p class="absent">{absent}</p>}
    </>
  );
}

/** Entries that are missing, so that nobody takes silence for calm. */
function Gaps({ store }: { readonly store: Store }) {
  const newest = store.gaps.at(-1);
  if (newest === undefined) return null;
  const lost = store.gaps.reduce((sum, { from, to }) => sum + Math.max(0, (to ?? from) - from), 0);
  const nodes = [...new Set(store.gaps.map(({ node }) => node))].join(", ");
  return (
    <p class="gaps" role="status">
      {lost === 0 ? "Some" : lost.toLocaleString("en")} entries of {nodes} are missing here: {newest.reason}.
    </p>
  );
}

function Elsewhere({ store }: { readonly store: Store }) {
  const { place } = store;
  if (place.isExact || store.history.length === 0) return null;
  // A recording is read from its beginning, and says when that is done.
  const isRead = store.connection === "ended" || (store.connection === "open" && store.source?.live === true);
  const wanted = store.cursor.kind === "height" ? `height ${store.cursor.height}` : "the moment of this link";
  return (
    <p class="gaps" role="status">
      {isRead ? "Not held here" : "Not here yet"}: {wanted}. This is the nearest that is.
    </p>
  );
}

/** Why nothing comes at the moment, where that is known. */
function Waiting({ store }: { readonly store: Store }) {
  if (store.connection !== "lost" || store.refusal === null) return null;
  return (
    <p class="gaps" role="status">
      {store.refusal}
    </p>
  );
}

/** What was read stays readable when the session ends. */
function SessionOver({ store }: { readonly store: Store }) {
  if (store.connection !== "refused") return null;
  return (
    <p class="gaps" role="status">
      Nothing new comes any more: {store.refusal}
    </p>
  );
}

function NoSession({ store }: { readonly store: Store }) {
  return (
    <main class="no-session">
      <h1>Not admitted</h1>
      <p>{store.refusal}</p>
      <p class="quiet">A link opens the page once; afterwards this browser may come back until the session ends.</p>
    </main>
  );
}

export function App({ store }: { readonly store: Store }) {
  useStore(store);
  const [open, setOpen] = useState<"search" | "help" | null>(null);
  useEffect(() => {
    const press = (event: KeyboardEvent): void =>
      onKey(event, store, VIEWS, {
        search: () => setOpen("search"),
        help: () => setOpen("help"),
        copyLink: () => document.querySelector<HTMLButtonElement>('[data-do="link"]')?.click(),
        theme: () => store.setTheme(nextTheme(store.theme)),
      });
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [store]);
  const { title } = store.source ?? { title: "" };
  useEffect(() => {
    document.title = title === "" ? "Sky inspector" : `${title} · Sky inspector`;
  }, [title]);

  if (store.connection === "refused" && store.history.length === 0) return <NoSession store={store} />;
  const { moment } = store;
  const view = shownView(store);
  return (
    <div class="frame">
      <TitleBar store={store} onSearch={() => setOpen("search")} onHelp={() => setOpen("help")} />
      <Story store={store} moment={moment} />
      <div class="notes">
        <SessionOver store={store} />
        <Waiting store={store} />
        <Gaps store={store} />
        <Elsewhere store={store} />
      </div>
      <Nodes store={store} moment={moment} />
      <main class="stage">
        <Tabs store={store} shown={view} />
        <div class="view" data-view={view?.name}>
          {view !== undefined && <Shown key={view.name} store={store} moment={moment} view={view} />}
        </div>
      </main>
      <Slider store={store} moment={moment} />
      {open === "search" && <Search store={store} onClose={() => setOpen(null)} />}
      {open === "help" && <Help views={VIEWS} onClose={() => setOpen(null)} />}
    </div>
  );
}
