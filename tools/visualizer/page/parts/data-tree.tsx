/** Plain data as a tree that opens and closes; what is long stays closed. */

/** Members shown of one list or record: a context is bounded, a screen is smaller. */
const SHOWN_MAX = 200;

const isBranch = (value: unknown): value is object => typeof value === "object" && value !== null;

function Leaf({ value }: { readonly value: unknown }) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return <span class={`leaf mono ${value === null ? "quiet" : ""}`}>{text}</span>;
}

export function DataTree({
  name,
  value,
  isOpen = false,
}: {
  readonly name: string;
  readonly value: unknown;
  readonly isOpen?: boolean;
}) {
  if (!isBranch(value))
    return (
      <div class="data-line">
        <span class="quiet">{name}</span> <Leaf value={value} />
      </div>
    );
  const members = Object.entries(value);
  if (members.length === 0)
    return (
      <div class="data-line">
        <span class="quiet">{name}</span> <span class="quiet">empty</span>
      </div>
    );
  return (
    <details class="data-branch" open={isOpen}>
      <summary>
        {name} <span class="quiet">{members.length}</span>
      </summary>
      {members.slice(0, SHOWN_MAX).map(([key, one]) => (
        <DataTree key={key} name={key} value={one} />
      ))}
      {members.length > SHOWN_MAX && <div class="quiet">and {members.length - SHOWN_MAX} more</div>}
    </details>
  );
}
