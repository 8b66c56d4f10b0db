/** What the page shows and which keys it knows. */
import type { View } from "../view.ts";
import { Dialog } from "./dialog.tsx";

const KEYS: readonly (readonly [string, string])[] = [
  ["← →", "one entry back or forth"],
  ["Shift ← →", "one block back or forth"],
  ["[ ]", "to the last or next mark"],
  ["Home End", "to the first entry, to the newest"],
  ["Space", "follow the newest, or stay here"],
  ["/", "search"],
  ["l", "copy a permanent link to this moment"],
  ["t", "light, dark, or as the system"],
  ["?", "this help"],
];

const MARKS: readonly (readonly [string, string])[] = [
  ["×", "a node ended; its lane is interrupted until it comes back"],
  ["▲", "a node came back, or was unsealed"],
  ["–", "a view was given up: no block came of it"],
  ["◆", "evidence that a member lied"],
  ["❘", "a fault that the simulation made, or a rule that was broken"],
];

export function Help({ views, onClose }: { readonly views: readonly View[]; readonly onClose: () => void }) {
  return (
    <Dialog label="Help" class="help" onClose={onClose}>
      <h2>One moment, seen from every side</h2>
      <p>
        Everything here shows the same moment: the one on the slider below. Follow the newest, or drag it back to see
        where each node stood then. The page only reads; nothing here can change the cluster.
      </p>
      <div class="help-columns">
        <section>
          <h3>Keys</h3>
          <dl>
            {[...views.map(({ key, title }) => [key, title] as const), ...KEYS].map(([key, what]) => (
              <div key={key}>
                <dt>
                  {key.split(" ").map((one) => (
                    <kbd key={one}>{one}</kbd>
                  ))}
                </dt>
                <dd>{what}</dd>
              </div>
            ))}
          </dl>
        </section>
        <section>
          <h3>On the slider</h3>
          <dl>
            {MARKS.map(([sign, what]) => (
              <div key={sign}>
                <dt>
                  <span class="sign-in-help">{sign}</span>
                </dt>
                <dd>{what}</dd>
              </div>
            ))}
          </dl>
          <h3>Words</h3>
          <dl class="words">
            <dt>view</dt>
            <dd>One attempt to agree on a block. Its leader proposes; the members take turns.</dd>
            <dt>notarize, finalize, nullify</dt>
            <dd>
              The three votes: for a block, that it is decided, and that the view is given up. A quorum of one makes a
              certificate.
            </dd>
            <dt>height</dt>
            <dd>The place of a final block in the log. A final block never changes.</dd>
          </dl>
        </section>
      </div>
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </Dialog>
  );
}
