/** What is looked at, whether it is live, and the page's own buttons. */
import { useState } from "preact/hooks";
import { linkTo } from "../browser/keeping.ts";
import type { Theme } from "../model/link.ts";
import type { Connection, Store } from "../model/store.ts";

const CONNECTIONS: Readonly<Record<Connection, { readonly tone: string; readonly text: string }>> = {
  connecting: { tone: "warn", text: "connecting" },
  open: { tone: "good", text: "connected" },
  lost: { tone: "bad", text: "connection lost, trying again" },
  ended: { tone: "quiet", text: "recording read to its end" },
  refused: { tone: "bad", text: "not admitted" },
};

const NEXT_THEME: Readonly<Record<Theme, Theme>> = { system: "dark", dark: "light", light: "system" };
const THEME_NAMES: Readonly<Record<Theme, string>> = { system: "Auto", dark: "Dark", light: "Light" };

/** The ring of members with one that leads: the page's sign. */
const Sign = () => (
  <svg class="sign" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">
    <circle cx="12" cy="12" r="8.5" />
    <circle class="leads" cx="12" cy="3.5" r="3" />
    <circle class="follows" cx="19.4" cy="16.2" r="2" />
    <circle class="follows" cx="4.6" cy="16.2" r="2" />
  </svg>
);

const COPIED_MS = 1600;

function CopyLink({ store }: { readonly store: Store }) {
  const [said, setSaid] = useState<string | null>(null);
  const copy = async (): Promise<void> => {
    const link = linkTo(store);
    try {
      await navigator.clipboard.writeText(link);
      setSaid("Copied");
    } catch {
      location.replace(link); // no clipboard here: the address at least is the link
      setSaid("In the address bar");
    }
    setTimeout(() => setSaid(null), COPIED_MS);
  };
  return (
    <button
      type="button"
      class="plain"
      data-do="link"
      title="Copy a permanent link to this moment (l)"
      onClick={() => void copy()}
    >
      <span aria-live="polite">{said ?? "Link"}</span>
    </button>
  );
}

export function TitleBar(props: { readonly store: Store; readonly onSearch: () => void; readonly onHelp: () => void }) {
  const { store, onSearch, onHelp } = props;
  const { source } = store;
  const { tone, text: said } = CONNECTIONS[store.connection];
  const text = source?.kind === "directory" && store.connection === "ended" ? "read to its end" : said;
  return (
    <header class="title-bar">
      <h1>
        <Sign />
        <span>Sky</span> <span class="sr-only">inspector: </span>
        <span class="title">{source?.title ?? ""}</span>
      </h1>
      {source?.dev === true && (
        <span
          class="badge dev"
          title="A development cluster: its keys protect nothing. It can never become a real one."
        >
          <span class="wide-only">development: </span>no real secrets
        </span>
      )}
      <span class={`connection ${tone}`} role="status" title={text}>
        <span class="dot" aria-hidden="true" />
        <span class={tone === "good" ? "wide-only" : ""}>{text}</span>
      </span>
      <div class="buttons">
        <button type="button" class="plain" title="Search what happened (/)" onClick={onSearch}>
          Search
        </button>
        <CopyLink store={store} />
        <button
          type="button"
          class="plain"
          title="Light, dark, or as the system (t)"
          aria-label={`Theme: ${THEME_NAMES[store.theme]}`}
          onClick={() => store.setTheme(NEXT_THEME[store.theme])}
        >
          {THEME_NAMES[store.theme]}
        </button>
        <button type="button" class="plain" aria-label="Help" title="Keys and help (?)" onClick={onHelp}>
          ?
        </button>
      </div>
    </header>
  );
}

/** The theme that comes after one. */
export const nextTheme = (theme: Theme): Theme => NEXT_THEME[theme];
