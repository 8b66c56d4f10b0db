import type { Store } from "./model/store.ts";

export function App({ store }: { readonly store: Store }) {
  return <main>{store.connection}</main>;
}
