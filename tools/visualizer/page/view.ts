/** What a view of the page is: a file in views/ exports one as `view`, and views/index.ts lists it. */
import type { VNode } from "preact";
import type { Moment } from "./model/moment.ts";
import type { Store } from "./model/store.ts";

export interface ViewProps {
  readonly store: Store;
  /** Where everything stands at the cursor: draw this, ask the store for what lies around it. */
  readonly moment: Moment;
}

export interface View {
  /** In links, and in `SourceDescription.absent`: the page shows that sentence instead of the view. */
  readonly name: string;
  readonly title: string;
  /** The key that shows it. */
  readonly key: string;
  readonly Component: (props: ViewProps) => VNode;
}
