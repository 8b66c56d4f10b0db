/** Search over everything that happened; choosing a line goes there. */
import { useMemo, useState } from "preact/hooks";
import type { Store } from "../model/store.ts";
import type { Entry } from "../../../../src/host/inspector/contract.ts";
import { nameOfKey } from "../model/entries.ts";
import { type Found, find, parseQuery } from "../model/search.ts";
import { lineOf, timeOf } from "../model/words.ts";
import { Dialog } from "./dialog.tsx";
import { memberClass } from "./nodes.tsx";

const EXAMPLES = ["type:ended", "type:evidence", "type:proposal node:n2", "view:12", "height:3-5", "kind:dropped"];

function Result(props: { readonly store: Store; readonly entry: Entry; readonly onClose: () => void }) {
  const { store, entry, onClose } = props;
  const { what, detail } = lineOf(entry);
  return (
    <li>
      <button
        type="button"
        class="result"
        onClick={() => {
          store.goToEntry(entry);
          onClose();
        }}
      >
        <span class="number quiet">{timeOf(entry.at, store.source)}</span>
        <span class={`who ${memberClass(store, entry.node)}`}>{entry.node}</span>
        <span class="what">{what}</span>
        <span class="detail quiet">{detail}</span>
      </button>
    </li>
  );
}

const countOf = ({ newest, total }: Found): string => {
  if (total === 0) return "Nothing like it happened so far.";
  const shown = newest.length < total ? `, the newest ${newest.length} of them here` : ", newest first";
  return `${total.toLocaleString("en")} found${shown}.`;
};

export function Search({ store, onClose }: { readonly store: Store; readonly onClose: () => void }) {
  const [text, setText] = useState("");
  const query = useMemo(() => parseQuery(text), [text]);
  const found = useMemo(() => find(store.history, query), [store, query, store.history.length]);
  return (
    <Dialog label="Search" class="search" onClose={onClose}>
      <label class="sr-only" for="search-text">
        Search what happened
      </label>
      <input
        id="search-text"
        type="search"
        autofocus
        autocomplete="off"
        spellcheck={false}
        placeholder="node:n3 type:vote view:812 …"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          const [first] = found.newest;
          if (event.key !== "Enter" || first === undefined) return;
          store.goToEntry(first);
          onClose();
        }}
      />
      <p class="quiet" role="status">
        {text === "" ? "Words, or node: type: kind: view: height:. All must hold." : (query.problem ?? countOf(found))}
      </p>
      {text === "" && (
        <ul class="examples">
          {EXAMPLES.map((example) => (
            <li key={example}>
              <button type="button" onClick={() => setText(example)}>
                <code>{example}</code>
              </button>
            </li>
          ))}
        </ul>
      )}
      <ol class="results">
        {found.newest.map((entry) => (
          <Result key={nameOfKey(entry)} store={store} entry={entry} onClose={onClose} />
        ))}
      </ol>
    </Dialog>
  );
}
