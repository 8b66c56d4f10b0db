/** The form that asks for a check, and the answer in sentences. */
import { useId } from "preact/hooks";
import type { GraphPoint } from "../../../../src/host/inspector/contract.ts";
import type { CheckStory } from "./check-sentences.ts";

/** Names offered while one types; more would not help. */
const OFFERED_MAX = 200;

interface FormProps {
  readonly subject: string;
  readonly object: string;
  readonly points: readonly GraphPoint[];
  readonly onCheck: (subject: string, object: string) => void;
}

function Names({
  id,
  points,
  kind,
}: {
  readonly id: string;
  readonly points: readonly GraphPoint[];
  readonly kind: GraphPoint["kind"];
}) {
  return (
    <datalist id={id}>
      {points
        .filter((point) => point.kind === kind)
        .slice(0, OFFERED_MAX)
        .map((point) => (
          <option key={point.id} value={point.id.slice(kind.length + 1)} />
        ))}
    </datalist>
  );
}

export function CheckForm({ subject, object, points, onCheck }: FormProps) {
  const id = useId();
  const onSubmit = (event: SubmitEvent): void => {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string): string => {
      const value = data.get(name);
      return typeof value === "string" ? value.trim() : "";
    };
    onCheck(text("subject"), text("object"));
  };
  const field = { autocomplete: "off", spellcheck: false, required: true } as const;
  return (
    <form class="inline check-form" aria-label="Explain a check" onSubmit={onSubmit}>
      <label>
        Does{" "}
        <input
          key={subject}
          name="subject"
          list={`${id}-s`}
          defaultValue={subject}
          placeholder="my-org:Jale"
          {...field}
        />
      </label>
      <label>
        have{" "}
        <input
          key={object}
          name="object"
          list={`${id}-o`}
          defaultValue={object}
          placeholder="my-org:Doc#View"
          {...field}
        />
      </label>
      <button type="submit">Explain</button>
      <Names id={`${id}-s`} points={points} kind="subject" />
      <Names id={`${id}-o`} points={points} kind="object" />
    </form>
  );
}

export function CheckAnswer(props: {
  readonly story: CheckStory | null;
  readonly result: boolean | null;
  readonly refusal: string | null;
  readonly height: number | null;
}) {
  const { story, result, refusal, height } = props;
  return (
    <section class={`check-answer ${result === null ? "" : result ? "allowed" : "denied"}`} aria-live="polite">
      {refusal !== null && <p class="bad">{refusal}</p>}
      {story === null && refusal === null && <p class="quiet">Asking…</p>}
      {story !== null && (
        <>
          <h3>
            <span aria-hidden="true">{result === true ? "✓ " : "✕ "}</span>
            {story.verdict}
            {height !== null && <span class="quiet">{` At height ${height}.`}</span>}
          </h3>
          <ol>
            {story.steps.map((step) => (
              <li key={step}>{step}</li>
            ))}
          </ol>
          {story.nearly.length > 0 && (
            <>
              <h4>What nearly fits</h4>
              <ul>
                {story.nearly.map((step) => (
                  <li key={step}>{step}</li>
                ))}
              </ul>
            </>
          )}
        </>
      )}
    </section>
  );
}
