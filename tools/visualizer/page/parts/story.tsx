/** The strip of sentences that says what is going on. */
import type { Moment } from "../model/moment.ts";
import type { Store } from "../model/store.ts";
import { type Sentence, storyOf } from "../model/story.ts";

function Told({ store, sentence }: { readonly store: Store; readonly sentence: Sentence }) {
  const { key, text, tone } = sentence;
  if (key === null) return <li class={`told ${tone}`}>{text}</li>;
  return (
    <li class={`told ${tone}`}>
      <button type="button" class="link" title="Go to this moment" onClick={() => store.goToEntry(key)}>
        {text}
      </button>
    </li>
  );
}

export function Story({ store, moment }: { readonly store: Store; readonly moment: Moment }) {
  const { now, before } = storyOf(store, moment);
  return (
    <section class="story" aria-label="What happened">
      <ul class="now" aria-live={store.isFollowing ? "off" : "polite"}>
        {now.map((sentence) => (
          <Told key={sentence.text} store={store} sentence={sentence} />
        ))}
      </ul>
      {before.length > 0 && (
        <ul class="before">
          {before.map((sentence) => (
            <Told key={sentence.text} store={store} sentence={sentence} />
          ))}
        </ul>
      )}
    </section>
  );
}
