/** A dialog of the browser's own: it keeps the focus inside and gives it back; Escape closes it. */
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

/**
 * Whoever shows it decides by its state whether it is open. The browser tells of a close in a task of its own, when the
 * next key may have been pressed already: so Escape says it at once, and a dialog that is gone says nothing more.
 */
export function Dialog(props: {
  readonly label: string;
  readonly class: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}) {
  const box = useRef<HTMLDialogElement>(null);
  const { onClose } = props;
  const close = useRef(onClose);
  close.current = onClose;
  useLayoutEffect(() => {
    const dialog = box.current;
    if (dialog === null) return;
    const closed = (): void => close.current();
    dialog.addEventListener("close", closed);
    dialog.showModal();
    return () => {
      dialog.removeEventListener("close", closed);
      dialog.close();
    };
  }, []);
  return (
    <dialog
      ref={box}
      class={props.class}
      aria-label={props.label}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === box.current) onClose();
      }}
    >
      <div class="dialog-body">{props.children}</div>
    </dialog>
  );
}
