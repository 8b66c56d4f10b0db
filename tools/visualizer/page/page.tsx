/** The page's beginning: exchanges the token, stands where the link says, reads entries, draws. */
import { render } from "preact";
import { App } from "./app.tsx";
import { type Admission, readEntries } from "./browser/stream.ts";
import { keepAddress, keepTheme } from "./browser/keeping.ts";
import { Api } from "./model/api.ts";
import { readLink, tokenIn, withoutToken } from "./model/link.ts";
import { Store } from "./model/store.ts";

const api = new Api((path, options) => fetch(path, options));
const store = new Store(api, () => Date.now());

/** The token goes to the server once and leaves the address at once: it must not be shared with a link or stay in the history. */
async function openSession(): Promise<string | null> {
  const token = tokenIn(location.hash);
  if (token === null) return null;
  const rest = withoutToken(location.hash);
  history.replaceState(null, "", rest === "" ? location.pathname : `#${rest}`);
  const answer = await api.openSession(token);
  return answer.ok ? null : answer.refusal.message;
}

async function describe(): Promise<Admission> {
  const answer = await api.source();
  if (answer.ok) {
    if (store.source === null) store.describe(answer.value);
    const watching = await api.mayWatch();
    if (watching.ok) return "yes";
    store.setConnection("lost", watching.refusal.message);
    return "later";
  }
  if (answer.status === 0 || answer.status === 503) {
    store.setConnection("lost", answer.refusal.message);
    return "later";
  }
  store.setConnection("refused", refusedToken ?? answer.refusal.message);
  return "never";
}

keepTheme(store);
const refusedToken = await openSession();
store.open(readLink(location.hash));
keepAddress(store);
render(<App store={store} />, document.body);
readEntries(store, {
  open: (url) => new EventSource(url),
  after: (ms, then) => void setTimeout(then, ms),
  admission: describe,
});
